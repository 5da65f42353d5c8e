"""What clients send: an operation, by POST or in a message of graphql-transport-ws, and the other messages of that.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta


class Operation(msgspec.Struct, rename="camel"):
    """A document, which of its operations to run, and with what. Other members are ignored, as the protocol asks."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None


OperationId = Annotated[str, Meta(max_length=128)]
"""Chosen by the client; a UUID has 36 characters."""


class ConnectionInit(msgspec.Struct, tag_field="type", tag="connection_init"):
    """Who the client is: ``{token}`` in the payload, or a stranger without."""

    payload: dict[str, Any] | None = None


class Ping(msgspec.Struct, tag_field="type", tag="ping"):
    """Asks for a pong."""


class Pong(msgspec.Struct, tag_field="type", tag="pong"):
    """Answers a ping; nothing waits for it."""


class Subscribe(msgspec.Struct, tag_field="type", tag="subscribe"):
    """Run an operation."""

    id: OperationId
    payload: Operation


class Complete(msgspec.Struct, tag_field="type", tag="complete"):
    """From the client: stop the operation."""

    id: OperationId


ClientMessage = ConnectionInit | Ping | Pong | Subscribe | Complete
decode = msgspec.json.Decoder(ClientMessage).decode
"""Raises msgspec.DecodeError (or its ValidationError), UnicodeDecodeError or RecursionError."""
INVALID = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
