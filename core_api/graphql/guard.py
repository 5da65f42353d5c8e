"""What stands before every operation: the limits, the cost, and a slot to run in."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import lru_cache

from graphql import ASTValidationRule, DocumentNode, GraphQLError, GraphQLSchema, get_operation_ast
from strawberry.extensions import ParserCache, SchemaExtension
from strawberry.schema.schema import validate_document
from strawberry.types.graphql import OperationType

from core_api.graphql import cost, limits
from core_api.graphql.context import Context
from core_api.graphql.errors import InvalidQuery, QueryTooCostly
from core_api.graphql.settings import GraphQLSettings

CACHED = 256
"""Documents kept parsed, and verdicts on them. A client has some dozens."""


def extensions(settings: GraphQLSettings) -> list[Callable[[], SchemaExtension]]:
    """The extensions of the schema, outermost first."""
    verdicts = Verdicts(settings)
    return [lambda: Guard(settings), lambda: ParserCache(maxsize=CACHED), lambda: Validation(verdicts)]


class Guard(SchemaExtension):
    """Refuses what is too long or too costly, and runs queries and mutations in a slot, with a deadline.

    A subscription runs without one: it waits for most of its life. What it does for an event takes a slot then.
    """

    def __init__(self, settings: GraphQLSettings) -> None:
        self._settings = settings

    def on_operation(self) -> Iterator[None]:
        """Refuse what is too long, and let the parser give up after so many tokens."""
        length, limit = len(self.execution_context.query or ""), self._settings.characters
        if length > limit:
            raise QueryTooCostly(f"The document has {length} characters; the limit is {limit}. Use variables.")
        self.execution_context.parse_options["max_tokens"] = self._settings.tokens
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        """Check the cost, and wait for a slot."""
        self._check_cost()
        if self.execution_context.operation_type is OperationType.SUBSCRIPTION:
            yield
            return
        context: Context = self.execution_context.context
        async with asyncio.timeout(self._settings.operation_s), context.slots.taken() as context.slot:
            yield

    def _check_cost(self) -> None:
        execution = self.execution_context
        assert execution.graphql_document is not None  # noqa: S101 - for mypy: it was parsed and found valid
        # Not `operation_name`: where the client gives none, strawberry makes that the first operation's.
        operation = get_operation_ast(execution.graphql_document, execution._provided_operation_name)
        if operation is None:
            raise InvalidQuery("Say by operationName which of the operations to run.")
        found = cost.of(execution.graphql_document, operation, execution.variables)
        if found > self._settings.cost:
            raise QueryTooCostly(f"The operation may cost {found}; the limit is {self._settings.cost}. Ask for less.")


class Verdicts:
    """What is wrong with a document, remembered. The limits come first: validating takes long what they refuse."""

    def __init__(self, settings: GraphQLSettings) -> None:
        self._settings = settings
        self.of = lru_cache(CACHED)(self._of)

    def _of(
        self, schema: GraphQLSchema, document: DocumentNode, rules: tuple[type[ASTValidationRule], ...]
    ) -> list[GraphQLError]:
        return limits.check(document, self._settings) or validate_document(schema, document, rules)


class Validation(SchemaExtension):
    """Validates with :class:`Verdicts` in the place of strawberry's own cache."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts

    def on_validate(self) -> Iterator[None]:
        """Put the verdict where strawberry looks for it."""
        execution = self.execution_context
        execution.pre_execution_errors = self._verdicts.of(
            execution.schema._schema, execution.graphql_document, execution.validation_rules
        )
        yield
