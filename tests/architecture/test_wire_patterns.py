"""Every pattern of the wire ends where the text ends: ``$`` also matches before a last line feed."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

import hub.app  # noqa: F401 - brings in every struct of the wire
from hub.kernel.wire import END, UUID_PATTERN, Ulid, Uuid, Wire
from presence.schema import TypingRoom

OPENAPI = Path(__file__).parents[2] / "docs/openapi.json"
"""Compared with the code by test_wire_documents.py."""

Form = tuple[str, int | None]
"""A pattern, and the most characters that go with it."""


@cache
def forms() -> set[Form]:
    """Of all texts that have a pattern: in structs, and in the paths and queries of REST."""
    openapi = msgspec.json.decode(OPENAPI.read_bytes())
    return {*_forms(openapi), *_forms(msgspec.json.schema_components(list(_structs())))}


def _structs() -> Iterator[type[Wire]]:
    left = Wire.__subclasses__()
    while left:
        struct = left.pop()
        left.extend(struct.__subclasses__())
        if not struct.__module__.startswith("tests"):
            yield struct


def _forms(schema: Any) -> Iterator[Form]:
    if isinstance(schema, list | tuple):
        for part in schema:
            yield from _forms(part)
    elif isinstance(schema, dict):
        if isinstance(pattern := schema.get("pattern"), str):
            yield pattern, schema.get("maxLength")
        for part in schema.values():
            yield from _forms(part)


def fits(text: str, shape: Any) -> bool:
    """Whether the wire takes it."""
    try:
        msgspec.convert({"value": text}, msgspec.defstruct("Alone", [("value", shape)]))
    except msgspec.ValidationError:
        return False
    return True


def test_every_pattern_ends_with_the_text_or_leaves_no_room_for_more() -> None:
    ids = {(UUID_PATTERN, 36), (_pattern(Ulid), 26)}
    assert ids < forms()
    loose = [pattern for pattern, _ in forms() - ids if not pattern.endswith(END) or "$" in pattern]
    assert loose == []


def test_the_patterns_of_all_parts_are_looked_at() -> None:
    seen = {pattern for pattern, _ in forms()}
    assert {_pattern(TypingRoom), _pattern(Ulid)} < seen
    assert len(seen) > 15


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("0190b5a0-7a3e-7c50-8f1e-5a0c3d2b1a09", Uuid),
        ("01J2PT0YHY6Q8ZC5V4N3M2K1H0", Ulid),
        ("room:general", TypingRoom),
        ("room:general", Annotated[str, Meta(pattern=f"^room:[a-z]+{END}")]),
    ],
)
def test_a_line_feed_behind_it_is_refused(text: str, shape: Any) -> None:
    assert fits(text, shape)
    assert not fits(text + "\n", shape)


def _pattern(shape: Any) -> str:
    return next(meta.pattern for meta in shape.__metadata__ if isinstance(meta, Meta) and meta.pattern is not None)
