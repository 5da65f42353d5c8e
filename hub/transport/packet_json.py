"""JSON of Socket.IO packets: orjson, and a kind word for clients that cut an emoji in half."""

import json
from typing import Any, NoReturn

import orjson


class HalfCharacter:
    """In place of an event's payload with a lone surrogate.

    JavaScript makes such text whenever it slices a string within an emoji. No UTF-8 can hold it, so the payload is
    refused; closing the connection, as for what is no JSON at all, would make the client send it again for ever.
    """


HALF_CHARACTER = HalfCharacter()


class PacketJson:
    """The interface that python-socketio wants of a json module."""

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        """Compact JSON text."""
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(text: str | bytes, **_: Any) -> Any:
        """The value of a JSON text; of an event whose payload has a lone surrogate, ``[name, HALF_CHARACTER]``.

        Raises ValueError.
        """
        try:
            return orjson.loads(text)
        except ValueError:
            value = json.loads(text, parse_constant=_refuse)
            if not (isinstance(value, list) and value and _is_text(value[0])):
                raise
            return [value[0], HALF_CHARACTER]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _is_text(value: Any) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False
