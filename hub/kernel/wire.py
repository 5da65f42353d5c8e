"""Structs of the wire, and checking what comes in against them with every violation named."""

import re
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec
from msgspec import Meta

from hub.kernel.errors import InvalidPayload

END = r"(?![\s\S])"
"""End of the text. ``$`` also matches before a last line feed, and JSON Schema has no ``\\Z``."""

UUID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
# Ids keep the plain `$`: their length leaves no room for a line feed behind them.
Uuid = Annotated[str, Meta(pattern=UUID_PATTERN, max_length=36, description="UUID, lower case")]
Ulid = Annotated[str, Meta(pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$", max_length=26, description="ULID, upper case")]

T = TypeVar("T")
MAX_TEXT = 300
"""Characters of one detail: msgspec repeats an unknown name or value whole, which may have a megabyte."""
MAX_VIOLATIONS = 20
"""Violations reported of one payload: enough for any form, and a hostile payload cannot ask for a long answer."""


class Wire(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of every struct on the wire: camelCase names, unknown fields refused."""


@dataclass(frozen=True, slots=True)
class Latest:
    """Says of an event that it carries full states, of which only the newest of each matter.

    While a client does not keep up, what waits for it is merged: of the items in the list ``items`` (its wire name),
    those with the same ``key`` become the one with the highest ``version``.
    """

    items: str
    key: str
    version: str


LATEST: dict[str, Latest] = {}
"""The events of that kind, by name."""


class ServerEvent(Wire):
    """An event that the hub sends; ``event`` is its name.

    ``latest`` makes it one of full states. Without that, and without ``volatile`` where it is emitted, it is a message:
    a client for which too much of it waits is cut, and comes back.
    """

    event: ClassVar[str] = ""
    latest: ClassVar[Latest | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.latest is not None:
            LATEST[cls.event] = cls.latest


class Nothing(Wire):
    """An empty object: the acknowledgement data of an event that has none."""


def to_wire(value: Any) -> Any:
    """The plain value (dicts, lists, strings, numbers, bytes) that the packet encoders of both parsers take."""
    return msgspec.to_builtins(value, builtin_types=(bytes,), str_keys=True, enc_hook=_plain)


def _plain(value: Any) -> Any:
    """The plain value of JSON text that was left as it is."""
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    raise TypeError(f"{type(value).__name__} is no wire value")


def decode(data: object, shape: type[T], *, strict: bool = True) -> T:
    """Check a decoded payload against ``shape``.

    ``strict=False`` also takes numbers and booleans written as strings, as a query string has them.
    Raises InvalidPayload whose ``errors`` are ``{pointer, detail}`` (RFC 6901) for every field that does not fit.
    """
    try:
        return msgspec.convert(data, shape, strict=strict, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        # msgspec stops at the first violation; people who fill in a form want all of them.
        found = violations(data, shape, strict=strict) or [_violation("", str(error))]
        first = found[0]
        where = first["pointer"] or "the payload"
        raise InvalidPayload(f"{first['detail']} (at {where})", errors=found) from None


def violations(data: object, shape: Any, *, strict: bool = True) -> list[dict[str, str]]:
    """Every violation in ``data``, at most MAX_VIOLATIONS, in the order of the struct's fields."""
    found: list[dict[str, str]] = []
    if isinstance(data, dict) and (struct := _struct_in(shape)) is not None:
        _collect_fields(data, struct, "", strict, found)
    return found[:MAX_VIOLATIONS]


def _collect_field(
    data: object,
    struct: type[msgspec.Struct],
    field: msgspec.structs.FieldInfo,
    pointer: str,
    strict: bool,
    found: list[dict[str, str]],
) -> None:
    try:
        msgspec.convert({"value": data}, _alone(struct, field.name), strict=strict, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        before = len(found)
        if isinstance(data, dict) and (inner := _struct_in(field.type)) is not None:
            _collect_fields(data, inner, pointer, strict, found)
        if len(found) == before:  # a rule of this value itself, or of a nesting that we do not descend into
            found.append(_violation(pointer, str(error).replace("`$.value", "`$", 1)))


@cache
def _alone(struct: type[msgspec.Struct], name: str) -> type[msgspec.Struct]:
    """A struct with this one field.

    Never convert to a field's type by itself: msgspec 0.22.0 frees a pattern too often when a bare union has one
    (``Uuid | list[Uuid]``), and the process crashes after a few payloads. Inside a struct it does not.
    """
    field = next(field for field in msgspec.structs.fields(struct) if field.name == name)
    return msgspec.defstruct(f"{struct.__name__}_{name}", [("value", field.type)])


def _collect_fields(
    data: dict[Any, Any],
    struct: type[msgspec.Struct],
    pointer: str,
    strict: bool,
    found: list[dict[str, str]],
) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name, field in fields.items():
        if len(found) >= MAX_VIOLATIONS:
            return
        if name in data:
            _collect_field(data[name], struct, field, f"{pointer}/{name}", strict, found)
        elif field.required:
            found.append(_violation(f"{pointer}/{name}", "This field is required"))
    unknown = (name for name in data if name not in fields)
    found.extend(
        _violation(f"{pointer}/{_escape(str(name))}", "There is no such field")
        for name in islice(unknown, MAX_VIOLATIONS)
    )


def _struct_in(shape: Any) -> type[msgspec.Struct] | None:
    """The one struct type in ``shape`` (itself, or in ``X | None``), if there is exactly one."""
    candidates = [part for part in (shape, *getattr(shape, "__args__", ())) if isinstance(part, type)]
    structs = [part for part in candidates if issubclass(part, msgspec.Struct)]
    return structs[0] if len(structs) == 1 else None


def _violation(pointer: str, message: str) -> dict[str, str]:
    """One violation. msgspec puts the place at the end of its message; the pointer says it instead."""
    text, _, place = message.partition(" - at `$")
    deeper = re.sub(r"\[(\w+|\.\.\.)\]", r"/\1", place.rstrip("`")).replace(".", "/")
    return {"pointer": (pointer + deeper)[:MAX_TEXT], "detail": text[:MAX_TEXT]}


def _escape(name: str) -> str:
    return name[:80].replace("~", "~0").replace("/", "~1")
