"""Deliveries become packets of their class: messages, volatile ones, and full states of which the newest matter."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from hub.kernel.delivery import Delivery
from hub.kernel.wire import LATEST
from hub.transport.deliveries import DeliveryPackets
from hub.transport.engineio.outbox import Backlog, Latest, Volatile
from hub.transport.engineio.websocket import payloads_of
from hub.transport.socketio.codecs import FORMS, JSON, Form
from hub.transport.socketio.packets import decode_json, decode_msgpack
from presence.schema import PresenceDiff

DIFF = PresenceDiff.event
Kept = Callable[..., Delivery]


def kept_as_text(event: str, payload: Any, *, volatile: bool = False) -> Delivery:
    return Delivery([], event, orjson.dumps(payload), volatile=volatile)


def kept_as_value(event: str, payload: Any, *, volatile: bool = False) -> Delivery:
    return Delivery([], event, None, payload, volatile=volatile)


def state(user: str, version: int, **more: Any) -> dict[str, Any]:
    return {"userId": user, "version": version, **more}


def diff(*states: dict[str, Any]) -> dict[str, Any]:
    return {"users": list(states)}


def arguments(packet: bytes, form: Form) -> Any:
    """The event in a packet, as a client reads it."""
    [(_, data)] = payloads_of(packet)
    return (decode_json(data[1:]) if form.codec is JSON else decode_msgpack(data)).data


of_either_kind = pytest.mark.parametrize("kept", [kept_as_text, kept_as_value])
in_every_form = pytest.mark.parametrize("form", list(FORMS.values()), ids=repr)


@of_either_kind
@in_every_form
def test_an_event_is_a_message_unless_something_says_otherwise(form: Form, kept: Kept) -> None:
    packet = DeliveryPackets(kept('mes"sage', {"text": "h\u00e9llo"}))(form)
    assert type(packet) is bytes
    assert arguments(packet, form) == ['mes"sage', {"text": "h\u00e9llo"}]


@of_either_kind
@in_every_form
def test_what_is_emitted_as_volatile_is_volatile_and_reads_the_same(form: Form, kept: Kept) -> None:
    packet = DeliveryPackets(kept("typing", {"on": True}, volatile=True))(form)
    assert isinstance(packet, Volatile)
    assert arguments(packet, form) == ["typing", {"on": True}]


@of_either_kind
@in_every_form
def test_an_offset_is_the_last_argument_for_those_that_take_it(form: Form, kept: Kept) -> None:
    delivery = kept("message", {"text": "hello"})
    delivery.offset = "a1.b2"
    read = arguments(DeliveryPackets(delivery)(form), form)
    assert read == ["message", {"text": "hello"}, *(["a1.b2"] if form.offsets else [])]


@of_either_kind
@in_every_form
def test_what_is_merged_of_several_has_no_offset(form: Form, kept: Kept) -> None:
    waiting = Backlog()
    for version in (1, 2):
        delivery = kept(DIFF, diff(state("a", version)))
        delivery.offset = str(version)
        waiting.add([DeliveryPackets(delivery)(form)], keeps_volatile=False)
    [packet] = waiting.take()
    assert arguments(packet, form) == [DIFF, diff(state("a", 2))]


@in_every_form
def test_binary_parts_reach_both_parsers(form: Form) -> None:
    packet = DeliveryPackets(kept_as_value("update", {"update": b"\x00\xff"}))(form)
    (_, first), *attached = payloads_of(packet)
    if form.codec is JSON:
        read = decode_json(first[1:])
        [(_, data)] = attached
        read.add_attachment(data)
        assert read.data == ["update", {"update": b"\x00\xff"}]
    else:
        assert decode_msgpack(first).data == ["update", {"update": b"\x00\xff"}]


@of_either_kind
@in_every_form
def test_events_of_full_states_are_known_by_their_name(form: Form, kept: Kept) -> None:
    assert DIFF in LATEST
    packet = DeliveryPackets(kept(DIFF, diff(state("a", 1), state("b", 2))))(form)
    assert isinstance(packet, Latest)
    assert set(packet.states()) == {"a", "b"}
    assert arguments(packet, form) == [DIFF, diff(state("a", 1), state("b", 2))]


@of_either_kind
@in_every_form
def test_what_waits_of_full_states_is_one_event_with_the_newest_of_each(form: Form, kept: Kept) -> None:
    waiting = Backlog()
    for payload in (
        diff(state("a", 3, status="away"), state("b", 1)),
        diff(state("a", 2, status="online")),
        diff(state("b", 2), state("c", 1)),
    ):
        waiting.add([DeliveryPackets(kept(DIFF, payload))(form)], keeps_volatile=False)
    [packet] = waiting.take()
    assert type(packet) is bytes
    assert arguments(packet, form) == [DIFF, diff(state("a", 3, status="away"), state("b", 2), state("c", 1))]
