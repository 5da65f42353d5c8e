"""One operation as clients send it, by POST or by WebSocket."""

from typing import Any

import msgspec


class Operation(msgspec.Struct, rename="camel"):
    """A document, which of its operations to run, and with what. Other members are ignored, as the protocol asks."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
