"""What an operation may cost: the objects it may have to make, before any is made.

A field with a selection of its own costs 1 for each object, and what is inside it as often. A connection costs
CONNECTION for its query, and what is inside as often as its page is long. A mutation costs MUTATION, a look into the
schema INTROSPECTION. Fields that are read off an object cost nothing, but ALIAS under another name than their own: that
way a page could be asked for twenty times over. A subscription costs EVENTS times as much, since its events come
unasked. Values in lists and input objects of the variables cost 1 each: graphql-core looks at every one.
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
)

from hub.kernel.pages import MAX_LIMIT

CONNECTIONS = {"posts": 10, "nftsByOwner": 100}
"""Fields with pages, and how long these are when nobody says."""
CONNECTION = 10
EACH = {"posts": 5}
"""What an element of a page costs in itself: posts are read with their content, 256 KB at most, wanted or not."""
MUTATION = 50
ALIAS = 10
EVENTS = 10
INTROSPECTION = 1500
"""The whole schema takes 20 ms, so it comes once in an operation."""
PAGE_ARGUMENT = "first"


def of(document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any] | None) -> int:
    """The cost of an operation with these variables. The document must have passed core_api.graphql.limits.

    A fragment is computed once, however often it is spread.
    """
    values = variables or {}
    return _Cost(document, _with_defaults(operation, values)).of_operation(operation) + _of_variables(values)


def _of_variables(values: Mapping[str, Any]) -> int:
    """Two levels: a variable is a list, or an input object that may have lists. What is deeper is a JSON scalar."""
    total = 0
    for value in values.values():
        if isinstance(value, list | dict):
            total += len(value)
        if isinstance(value, dict):
            total += sum(len(member) for member in value.values() if isinstance(member, list))
    return total


def _with_defaults(operation: OperationDefinitionNode, given: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {
        node.variable.name.value: int(node.default_value.value)
        for node in operation.variable_definitions or ()
        if isinstance(node.default_value, IntValueNode)
    }
    return defaults | dict(given)


class _Cost:
    def __init__(self, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._variables = variables
        self._known: dict[str, int] = {}

    def of_operation(self, operation: OperationDefinitionNode) -> int:
        cost = self._of(operation.selection_set)
        match operation.operation:
            case OperationType.MUTATION:
                return cost + MUTATION * len(operation.selection_set.selections)
            case OperationType.SUBSCRIPTION:
                return cost * EVENTS
        return cost

    def _of(self, selection_set: SelectionSetNode | None) -> int:
        total = 0
        for node in () if selection_set is None else selection_set.selections:
            if isinstance(node, FieldNode):
                total += self._of_field(node)
            elif isinstance(node, FragmentSpreadNode):
                total += self._of_fragment(node.name.value)
            elif isinstance(node, InlineFragmentNode):
                total += self._of(node.selection_set)
        return total

    def _of_field(self, node: FieldNode) -> int:
        name = node.name.value
        if node.selection_set is None:
            return 0 if node.alias is None else ALIAS
        if name.startswith("__"):
            return INTROSPECTION
        inside = self._of(node.selection_set)
        if name in CONNECTIONS:
            return CONNECTION + self._page(node, CONNECTIONS[name]) * (EACH.get(name, 0) + inside)
        return 1 + inside

    def _of_fragment(self, name: str) -> int:
        if name not in self._known:
            self._known[name] = 0
            self._known[name] = self._of(self._fragments[name].selection_set)
        return self._known[name]

    def _page(self, node: FieldNode, default: int) -> int:
        """How long the page may get. What is no number from 1 to 100 is refused elsewhere, and counts as 100."""
        for argument in node.arguments or ():
            if argument.name.value == PAGE_ARGUMENT:
                value: Any = None
                if isinstance(argument.value, IntValueNode):
                    value = int(argument.value.value)
                elif isinstance(argument.value, VariableNode):
                    value = self._variables.get(argument.value.name.value, default)
                return value if isinstance(value, int) and 0 < value <= MAX_LIMIT else MAX_LIMIT
        return default
