"""The fields that an operation begins with, and how often it asks for each."""

from collections import Counter
from collections.abc import Iterator

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)


def root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> Counter[str]:
    """By name; under each alias a field counts once, as it runs once (GraphQL, section 6.3.2).

    What ``@skip`` and ``@include`` leave out counts too, as in the cost. The document must be valid. Takes no longer
    than the document is long: a fragment is looked at once.
    """
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    seen: set[str] = set()

    def fields(selection_set: SelectionSetNode) -> Iterator[FieldNode]:
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, FragmentSpreadNode):
                if (name := node.name.value) not in seen:
                    seen.add(name)
                    yield from fields(fragments[name].selection_set)
            elif isinstance(node, InlineFragmentNode):
                yield from fields(node.selection_set)

    by_key = {(node.alias or node.name).value: node.name.value for node in fields(operation.selection_set)}
    return Counter(by_key.values())
