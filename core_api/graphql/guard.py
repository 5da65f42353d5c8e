"""What stands before every operation: the limits of its size and of its fields, the cost, and a slot to run in."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import lru_cache

from graphql import ASTValidationRule, DocumentNode, GraphQLError, GraphQLSchema, get_operation_ast
from strawberry.extensions import ParserCache, SchemaExtension
from strawberry.schema.schema import validate_document
from strawberry.types.graphql import OperationType

from core_api.graphql import cost, limits
from core_api.graphql.context import Context
from core_api.graphql.errors import InvalidQuery, QueryTooCostly
from core_api.graphql.rate_limits import PREFIX
from core_api.graphql.root_fields import root_fields
from core_api.graphql.settings import GraphQLSettings
from hub.kernel.errors import HubError

CACHED = 256
"""Documents kept parsed, and verdicts on them. A client has some dozens."""


def extensions(settings: GraphQLSettings) -> list[Callable[[], SchemaExtension]]:
    """The extensions of the schema, outermost first."""
    verdicts = Verdicts(settings)
    return [lambda: Guard(settings), lambda: ParserCache(maxsize=CACHED), lambda: Validation(verdicts, settings)]


class Guard(SchemaExtension):
    """Refuses what is too long, and runs queries and mutations in a slot, with a deadline.

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
        """Wait for a slot."""
        if self.execution_context.operation_type is OperationType.SUBSCRIPTION:
            yield
            return
        context: Context = self.execution_context.context
        async with asyncio.timeout(self._settings.operation_s), context.slots.taken() as context.slot:
            yield


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
    """Validates with :class:`Verdicts` in the place of strawberry's own cache; what is valid is counted and measured.

    Here, since what is found wrong later would be the first event of a subscription.
    """

    def __init__(self, verdicts: Verdicts, settings: GraphQLSettings) -> None:
        self._verdicts = verdicts
        self._settings = settings

    def on_validate(self) -> Iterator[None]:
        """Put the verdict where strawberry looks for it."""
        execution = self.execution_context
        document = execution.graphql_document
        found = self._verdicts.of(execution.schema._schema, document, execution.validation_rules)
        if document is not None and not found:
            try:
                self._admit(document)
            except HubError as error:
                found = [GraphQLError(error.message, original_error=error)]
        execution.pre_execution_errors = found
        yield

    def _admit(self, document: DocumentNode) -> None:
        """Count the operation's fields, all of them or none, and look at its cost. Raises RateLimited, QueryTooCostly.

        What costs too much counts too.
        """
        execution = self.execution_context
        # Not `operation_name`: where the client gives none, strawberry makes that the first operation's.
        operation = get_operation_ast(document, execution._provided_operation_name)
        if operation is None:
            raise InvalidQuery("Say by operationName which of the operations to run.")
        _take(execution.context, root_fields(document, operation))
        found = cost.of(document, operation, execution.variables)
        if found > self._settings.cost:
            raise QueryTooCostly(f"The operation may cost {found}; the limit is {self._settings.cost}. Ask for less.")


def _take(context: Context, fields: Mapping[str, int]) -> None:
    limited = context.limited
    counts = {PREFIX + name: count for name, count in fields.items() if PREFIX + name in limited.declared}
    if (name := limited.too_many(counts)) is not None:
        raise QueryTooCostly(f"The operation asks for {name.removeprefix(PREFIX)} more often than is served at once.")
    limited.take(counts, None if context.actor is None else context.actor.user_id, context.source)
