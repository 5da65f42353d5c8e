"""What a companion's reply is made from, and the interface of what makes it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol

from hub.kernel.errors import HubError


class LanguageModelUnavailable(HubError):
    """What makes the companion's replies does not answer, refuses, or broke off. What the owner wrote is kept."""

    code = "companion_unavailable"
    http_status = 503
    default_message = "The companion cannot answer just now. Your message is kept; try again."


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation so far."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything a reply may depend on.

    ``persona`` is the only text that gets the system role, and it is ours alone: made of numbers and fixed words.
    ``companion``, ``notes`` and ``memories`` hold what people wrote; adapters quote them in a turn of the user.
    """

    persona: str
    notes: tuple[str, ...]
    """What the owner wrote about the companion (interests …), one thing a note. Neither its name nor memories."""
    history: tuple[Turn, ...]
    """Earlier turns of the conversation, the oldest first, without ``message``."""
    message: str
    companion: str = ""
    """The companion's name."""
    memories: tuple[str, ...] = ()
    """What the user once said and is relevant now (``Recalled.text``), the best first."""
    style: tuple[str, ...] = ()
    """Words of ours for the tone, derived from the personality. The scripted responder knows those it knows."""
    seed: int = 0
    """The companion's own: what is chosen at random is chosen by it."""


class LanguageModel(Protocol):
    """Makes replies. Implemented by an OpenAI-compatible API and by the scripted responder."""

    @property
    def name(self) -> str:
        """What it is, for the ``responder`` of a reply."""
        ...

    def reply(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """The reply, in chunks of text that are never empty; at least one.

        Raises LanguageModelUnavailable before the first chunk or in the middle. Closing the generator
        (``contextlib.aclosing``) stops the work, also that of a server.
        """
        ...

    async def close(self) -> None:
        """Give back connections. Replies under way end. Safe to call twice."""
        ...
