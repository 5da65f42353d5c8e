"""core_api.storable: what clients may have stored."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from core_api.storable import MAX_DEPTH, Text, VisibleText, encode_json
from hub.kernel.errors import InvalidPayload, PayloadTooLarge

NOW = datetime.now(UTC)
"""MessagePack has times, and JSON has none."""
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=20,
)


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth - 1):
        value = [value]
    return value


@given(json_values)
def test_json_comes_back_as_it_was(value: object) -> None:
    assert msgspec.json.decode(encode_json(value, max_bytes=10**6, pointer="/body")) == value


@pytest.mark.parametrize(
    "value",
    [
        NOW,
        [NOW],
        b"bytes",
        [b"bytes"],
        {"deep": {"er": b""}},
        float("nan"),
        [float("inf")],
        2**63,
        -(2**63) - 1,
        {1: 2},
        "\ud800",
    ],
)
def test_what_is_no_json_is_refused_with_its_place(value: object) -> None:
    with pytest.raises(InvalidPayload) as caught:
        encode_json(value, max_bytes=10**6, pointer="/body")
    assert caught.value.details["errors"][0]["pointer"] == "/body"


@pytest.mark.parametrize("value", ["[{" * 40, "null", {"[" * 40: None}, 2**53, 2**63 - 1])
def test_what_only_looks_like_what_is_refused_is_taken(value: object) -> None:
    assert msgspec.json.decode(encode_json(value, max_bytes=10**6, pointer="/body")) == value


def test_nesting_ends_at_the_limit() -> None:
    encode_json(nested(MAX_DEPTH), max_bytes=10**6, pointer="/body")
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(InvalidPayload):
            encode_json(nested(depth), max_bytes=10**6, pointer="/body")


def test_the_limit_is_in_bytes_of_json() -> None:
    assert encode_json("é" * 4, max_bytes=10, pointer="/body") == '"éééé"'.encode()
    with pytest.raises(PayloadTooLarge):
        encode_json("é" * 4, max_bytes=9, pointer="/body")


@pytest.mark.parametrize("text", ["", "plain", "two\nlines\n", "emoji 🎉", "\t"])
def test_text_is_taken(text: str) -> None:
    assert msgspec.convert(text, Text) == text


@pytest.mark.parametrize("text", ["a\0", "\x1b[31m", "a\r", "\ud800", "ok\n\0"])
def test_what_cannot_be_stored_or_shown_is_no_text(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, Text)


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_blank_text_is_not_visible(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, Annotated[VisibleText, Meta(min_length=1)])
