"""Runs operations: the schema, its services, and the errors as clients see them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from core_api.graphql.context import Context
from core_api.graphql.faults import Faults
from core_api.graphql.messages import Operation
from core_api.graphql.ports import Services
from core_api.graphql.schema import make
from core_api.graphql.settings import GraphQLSettings
from core_api.graphql.slots import Slots
from hub.kernel.events import Actor
from hub.kernel.limited import Limited

BY_POST = frozenset({OperationType.QUERY, OperationType.MUTATION})
ALL = BY_POST | {OperationType.SUBSCRIPTION}


@dataclass(frozen=True, slots=True)
class Result:
    """``{data?, errors?}``. ``ran`` is false if the operation was refused before anything of it was done."""

    body: dict[str, Any]
    ran: bool


class Executor:
    """One for a node. Making it builds the schema: 75 ms, after half a second of imports."""

    def __init__(self, services: Services, settings: GraphQLSettings, faults: Faults, limited: Limited) -> None:
        self._services = services
        self._settings = settings
        self._faults = faults
        self._limited = limited
        self._schema = make(settings, limited.declared)
        self._slots = Slots(settings.running, settings.admitted, settings.events)

    async def run(self, operation: Operation, actor: Actor | None, source: str | None = None) -> Result:
        """Run a query or a mutation. ``source`` is what the client's address counts as, ``None`` if it is not limited.

        More than the limits of its fields is refused before anything runs.
        """
        async with aclosing(self._results(operation, actor, source, BY_POST)) as results:
            return await anext(results)

    def stream(
        self, operation: Operation, actor: Actor | None, source: str | None = None
    ) -> AsyncGenerator[Result, None]:
        """Run any operation in the same way: one result of a query or mutation, those of a subscription until it ends.

        A subscription that breaks off ends with a result that has ``errors`` and no data. Close it with ``aclosing``.
        """
        return self._results(operation, actor, source, ALL)

    async def _results(
        self, operation: Operation, actor: Actor | None, source: str | None, allowed: frozenset[OperationType]
    ) -> AsyncGenerator[Result, None]:
        context = Context(actor, self._services, self._settings, self._slots, self._limited, source)
        try:
            stream = await self._schema.stream(
                operation.query,
                variable_values=operation.variables,
                context_value=context,
                operation_name=operation.operation_name,
                allowed_operation_types=allowed,
            )
            async with aclosing(stream) as results:
                async for result in results:
                    if not isinstance(result, ExecutionResult):
                        raise TypeError("incremental delivery is off")
                    yield self._result(result.data, result.errors, ran=not isinstance(result, PreExecutionError))
        except Exception as error:  # among others, what its parser's cache raises, strawberry lets through
            known = error if isinstance(error, GraphQLError) else GraphQLError("", original_error=error)
            yield self._result(None, [known], ran=False)

    def _result(self, data: dict[str, Any] | None, errors: list[GraphQLError] | None, *, ran: bool) -> Result:
        body: dict[str, Any] = {"data": data} if ran else {}
        if errors:
            body["errors"] = [self._faults.entry(error) for error in errors]
        return Result(body, ran)
