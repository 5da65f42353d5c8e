"""What is read from JSON text, or written as it, in one step, is what the way through plain values gives."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hub.app  # noqa: F401 - with it come all features, and what they have on the wire
from hub.kernel.delivery import Delivery
from hub.kernel.errors import InvalidPayload
from hub.kernel.text_form import is_read_as_text, is_written_as_text
from hub.kernel.wire import ServerEvent, Wire, decode, to_wire


class Bytes(Wire):
    data: bytes


class Deep(Wire):
    many: dict[str, list[Bytes]] | None = None


class Anything(Wire):
    value: Any


class Line(ServerEvent):
    event = "line"
    text: str
    written: msgspec.Raw
    number: int | msgspec.UnsetType = msgspec.UNSET


class Blob(ServerEvent):
    event = "blob"
    data: bytes


def on_the_wire(shape: type[Wire] = Wire) -> Iterator[type[Wire]]:
    for below in shape.__subclasses__():
        yield below
        yield from on_the_wire(below)


READ = sorted({shape for shape in on_the_wire() if is_read_as_text(shape)}, key=lambda shape: shape.__name__)
UUID = "018f5b0e-7b0a-7c3a-9c3a-0123456789ab"
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "x", "\0", "é\U0001f600", "online", "offer", "AAECAw==", UUID, f"{UUID}\n", "room:" + UUID]),
    st.sampled_from(["2026-11-28T10:00:00Z", "2026-11-28T10:00:00+02:00", "2026-02-30T00:00:00Z"]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "type"]), inner)
)


@st.composite
def payloads(draw: st.DrawFn, shape: type[Wire]) -> str:
    """An object with some of the fields of ``shape``, and perhaps another."""
    names = [field.encode_name for field in msgspec.structs.fields(shape)]
    some = {name: draw(values) for name in names if draw(st.integers(0, 9))}
    more = draw(st.dictionaries(st.sampled_from(["other", *names]), values, max_size=1))
    return json.dumps(some | more, ensure_ascii=draw(st.booleans()))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(READ).flatmap(lambda shape: st.tuples(st.just(shape), payloads(shape))))
def test_what_text_is_read_as_is_what_its_plain_value_is_decoded_to(drawn: tuple[type[Wire], str]) -> None:
    shape, text = drawn
    try:
        read = msgspec.json.decode(text, type=shape)
    except msgspec.MsgspecError:
        read = None
    try:
        decoded = decode(json.loads(text), shape)
    except InvalidPayload:
        decoded = None
    assert read == decoded


def test_events_that_come_often_are_read_as_text() -> None:
    names = {shape.__name__ for shape in READ}
    assert {"Send", "Typing", "UpdatePresence", "Users", "SendSignal"} <= names


@pytest.mark.parametrize("shape", [Bytes, Deep])
def test_what_may_be_binary_is_neither_read_nor_written_as_text(shape: type[Wire]) -> None:
    assert not is_read_as_text(shape)
    assert not is_written_as_text(shape)


def test_what_may_be_anything_is_not_written_as_text() -> None:
    assert is_read_as_text(Anything)
    assert not is_written_as_text(Anything)


@pytest.mark.parametrize(
    "event",
    [Line(text='h"é', written=msgspec.Raw(b'{"a":[1]}')), Line(text="", written=msgspec.Raw(b"null"), number=7)],
)
def test_a_delivery_has_the_payload_that_its_event_has(event: Line) -> None:
    delivery = Delivery.of([], event)
    assert delivery.text is not None
    assert delivery.payload == json.loads(delivery.text) == to_wire(event)


def test_an_event_with_binary_parts_travels_as_its_plain_value() -> None:
    delivery = Delivery.of([], Blob(data=b"\0\xff"))
    assert delivery.text is None
    assert delivery.payload == {"data": b"\0\xff"}


@pytest.mark.parametrize("event", [Line(text="x", written=msgspec.Raw(b"[1,2]")), Blob(data=b"\0")])
def test_a_delivery_arrives_at_another_node_as_it_was(event: ServerEvent) -> None:
    sent = Delivery.of([], event, volatile=True)
    _ = sent.payload  # a listener here has read it
    arrived = Delivery([], *msgspec.msgpack.decode(msgspec.msgpack.encode(sent.packed())))
    assert arrived.packed() == Delivery.of([], event, volatile=True).packed()
    assert arrived.payload == to_wire(event)


def test_a_value_that_is_no_wire_value_is_refused() -> None:
    with pytest.raises(TypeError, match="object is no wire value"):
        to_wire({"x": object()})
