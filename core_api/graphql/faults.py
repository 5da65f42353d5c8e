"""Errors as GraphQL shows them: the catalogue's code in ``extensions``, and nothing of what is nobody's business."""

import logging
from typing import Any

from graphql import GraphQLError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from core_api.graphql.errors import InvalidQuery
from core_api.graphql.ports import Explain
from hub.kernel.errors import HubError, Unavailable

log = logging.getLogger(__name__)

MAX_MESSAGE = 300
"""Characters: graphql-core repeats whole tokens, and one may have a megabyte."""

OF_THE_REQUEST = (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)
"""Strawberry's words for an empty document, an operation that is not in it, a subscription by POST."""


class Faults:
    """Turns errors into the entries of ``errors``. What is a bug of ours is masked, and logged with its traceback."""

    def __init__(self, explain: Explain) -> None:
        self._explain = explain

    def entry(self, error: GraphQLError) -> dict[str, Any]:
        """``{message, locations?, path?, extensions: {code, temporary, retryAfter?, …}}``."""
        shown = self._of(error)
        wire = shown.to_wire()
        entry: dict[str, Any] = {"message": wire.pop("message")}
        if error.locations:
            entry["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
        if error.path:
            entry["path"] = list(error.path)
        return entry | {"extensions": wire}

    def _of(self, error: GraphQLError) -> HubError:
        original = error.original_error
        while isinstance(original, GraphQLError) and original.original_error is not None:
            original = original.original_error
        if original is None or isinstance(original, GraphQLError):
            return self._of_graphql(error)
        if isinstance(original, OF_THE_REQUEST):
            return InvalidQuery(error.message[:MAX_MESSAGE])
        known = self._explain(original)
        where = _where(error)
        if known is None:
            log.error("GraphQL: %s failed", where, exc_info=original)
            return HubError()
        if isinstance(known, Unavailable):
            log.warning("GraphQL: %s: %r", where, original)
        return known

    def _of_graphql(self, error: GraphQLError) -> HubError:
        """What graphql-core found by itself: the request's fault, but for a value of ours that fits no type."""
        if error.path and not error.message.startswith("Argument "):
            log.error("GraphQL: %s: %s", _where(error), error.message)
            return HubError()
        return InvalidQuery(error.message[:MAX_MESSAGE])


def _where(error: GraphQLError) -> str:
    return ".".join(map(str, error.path or ["the operation"]))
