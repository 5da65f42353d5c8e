"""How large a document may be: fields, depth, aliases.

Not strawberry's own limiters: they walk a fragment anew each time it is spread, so 60 fragments of which each spreads
the next one twice make 2⁶⁰ steps out of 800 tokens. Here a fragment is measured once.
"""

from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from core_api.graphql.errors import QueryTooCostly
from core_api.graphql.settings import GraphQLSettings


@dataclass(slots=True)
class Size:
    """Of a selection set with everything it spreads."""

    depth: int = 0
    aliases: int = 0


def check(document: DocumentNode, settings: GraphQLSettings) -> list[GraphQLError]:
    """What is too much about a parsed document. Takes no longer than the document is long."""
    measure = _Measure(document)
    sizes = [measure.size(operation.selection_set) for operation in measure.operations]
    depth = max((size.depth for size in sizes), default=0)
    aliases = max((size.aliases for size in sizes), default=0)
    found = []
    if measure.fields > settings.fields:
        found.append(f"The document has {measure.fields} fields; the limit is {settings.fields}.")
    if depth > settings.depth:
        found.append(f"The operation is {depth} fields deep; the limit is {settings.depth}.")
    if aliases > settings.aliases:
        found.append(f"The operation has {aliases} aliases; the limit is {settings.aliases}.")
    return [GraphQLError(message, original_error=QueryTooCostly(message)) for message in found]


class _Measure:
    def __init__(self, document: DocumentNode) -> None:
        self.operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[str, Size] = {}
        self.fields = 0
        for fragment in self._fragments:
            self._of_fragment(fragment)

    def size(self, selection_set: SelectionSetNode | None) -> Size:
        """The deepest path, and the aliases on all of them."""
        total = Size()
        for node in () if selection_set is None else selection_set.selections:
            inner = self._inside(node)
            depth, aliases = inner.depth, inner.aliases
            if isinstance(node, FieldNode):
                self.fields += 1
                # What introspection may nest is a rule of its own, in graphql-core.
                depth = 0 if node.name.value.startswith("__") else depth + 1
                aliases += node.alias is not None
            total.depth = max(total.depth, depth)
            total.aliases += aliases
        return total

    def _inside(self, node: SelectionNode) -> Size:
        match node:
            case FragmentSpreadNode():
                return self._of_fragment(node.name.value)
            case FieldNode() | InlineFragmentNode():
                return self.size(node.selection_set)
        raise TypeError(f"there is no selection of kind {node.kind}")

    def _of_fragment(self, name: str) -> Size:
        if name not in self._known:
            self._known[name] = Size()  # ends a cycle; that there is one, validation says
            fragment = self._fragments.get(name)
            self._known[name] = self.size(None if fragment is None else fragment.selection_set)
        return self._known[name]
