"""Server-sent events and what an OpenAI-compatible API says in them. No I/O."""

import codecs
import re
from collections.abc import Iterator
from typing import Literal

import msgspec

MAX_EVENT = 1 << 20
"""Characters of one event. A token takes 300; a server that never ends a line must not fill the memory."""
LINE_END = re.compile(r"\r\n|\n|\r")


class NotAStream(Exception):
    """The server sends something else than the events of a chat completion; the message says what."""


class EventStream:
    """Takes bytes as they arrive, cut anywhere, and gives the data of each event that is complete."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._rest = ""
        self._data: list[str] = []
        self._begun = False

    def feed(self, data: bytes) -> Iterator[str]:
        """The data of the events that end in ``data``. Raises NotAStream if one is larger than MAX_EVENT."""
        text = self._rest + self._decode(data)
        if not self._begun and text:
            self._begun, text = True, text.removeprefix("\ufeff")
        # A carriage return at the end may be the first half of a line end.
        held = "\r" if text.endswith("\r") else ""
        *lines, self._rest = LINE_END.split(text.removesuffix(held))
        self._rest += held
        for line in lines:
            if (event := self._take(line)) is not None:
                yield event
        if len(self._rest) + sum(map(len, self._data)) > MAX_EVENT:
            raise NotAStream("an event without an end")

    def _take(self, line: str) -> str | None:
        """A line of an event; the event's data if the line is the blank one that ends it."""
        if line:
            name, _, value = line.partition(":")  # a comment has no name
            if name == "data":
                self._data.append(value.removeprefix(" "))
            return None
        event, self._data = "\n".join(self._data), []
        return event or None


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    error: msgspec.Raw = msgspec.Raw()


DONE: Literal["[DONE]"] = "[DONE]"
"""Data of the last event."""


class Delta(msgspec.Struct, frozen=True):
    """What one event adds to the reply. ``last``: the model has said all it wanted, or may say."""

    text: str = ""
    last: bool = False


def delta(data: str) -> Delta:
    """What the data of an event means. Raises NotAStream for an error of the server, and for what is no chunk."""
    if data.strip() == DONE:
        return Delta(last=True)
    try:
        chunk = msgspec.json.decode(data, type=_Chunk)
    except msgspec.DecodeError as error:
        raise NotAStream(f"no chunk of a completion: {error}") from None
    if bytes(chunk.error) not in (b"", b"null"):
        raise NotAStream(f"an error in the stream: {bytes(chunk.error)[:200]!r}")
    if not chunk.choices:
        return Delta()  # the usage, at the end
    first = chunk.choices[0]
    return Delta(text=first.delta.content or "", last=first.finish_reason is not None)
