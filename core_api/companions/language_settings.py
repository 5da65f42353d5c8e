"""Settings of the language model behind the companions."""

from typing import Annotated

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0)]


class LanguageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may choose. Without ``url`` replies come from the scripted responder."""

    url: str | None = None
    """Base of an OpenAI-compatible API, with its version: ``http://127.0.0.1:8081/v1``."""
    model: str = "default"
    """The model to ask for; also what replies name as their responder."""
    key: str | None = None
    """Sent as a bearer token, to ``url`` and nowhere else. Never logged."""
    connect_s: Seconds = 5.0
    idle_s: Seconds = 30.0
    """Longest silence of the server: a large model on a busy machine thinks that long before its first word."""
    reply_s: Seconds = 120.0
    """Longest reply, in time; what a server that drips is cut by."""
    reply_tokens: Annotated[int, Meta(ge=1)] = 512
    """Asked of the server."""
    reply_characters: Annotated[int, Meta(ge=1)] = 8_000
    """Kept of its answer, whatever it was asked."""
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.7
