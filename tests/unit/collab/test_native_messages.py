"""The messages of the native protocols: what is right comes back, and nothing hostile does harm."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.decoding import BadUpdate
from collab.native import hocuspocus_messages, sync
from collab.native.hocuspocus_messages import Closed, Token, Unserved
from collab.native.sync import Announcement, AwarenessQuery, Change, Message, SyncRequest

NAME = b"doc\0session"

messages = st.one_of(
    st.binary(max_size=300).map(SyncRequest),
    st.builds(Change, st.binary(max_size=300), st.booleans()),
    st.binary(max_size=300).map(Announcement),
    st.just(AwarenessQuery()),
)


def encoded(message: Message) -> bytes:
    match message:
        case SyncRequest(vector):
            return sync.step_1(vector)
        case Change(update, is_answer):
            return sync.step_2(update) if is_answer else sync.update(update)
        case Announcement(update):
            return sync.awareness(update)
        case AwarenessQuery():
            return bytes((sync.QUERY_AWARENESS,))


@given(st.lists(messages, min_size=1, max_size=5))
def test_messages_in_one_frame_come_back(several: list[Message]) -> None:
    assert sync.decode(b"".join(map(encoded, several))) == several


@given(messages)
def test_messages_of_hocuspocus_come_back_with_their_name(message: Message) -> None:
    assert hocuspocus_messages.decode(sync.block(NAME) + encoded(message)) == (NAME, message)


def test_what_only_hocuspocus_has_is_told_apart() -> None:
    head = sync.block(NAME)
    for body, meaning in {
        b"\2\0" + sync.block(b"secret") + sync.block(b"4.8.0"): Token("secret"),
        b"\7" + sync.block(b"bye"): Closed(),
        b"\5" + sync.block(b"any"): Unserved(),
        b"\6" + sync.block(b"any"): Unserved(),
        b"\4" + sync.step_2(b"abc")[1:]: Change(b"abc", is_answer=True),
    }.items():
        assert hocuspocus_messages.decode(head + body) == (NAME, meaning)
    assert hocuspocus_messages.document_of(NAME) == "doc"


@pytest.mark.parametrize(
    "body", [b"", b"\x08\1", b"\x0b", b"\2\1", b"\2\0\5abc", b"\2\0\1\xff", b"\0", b"\0\3\0", b"\xff" * 12]
)
def test_what_no_client_of_hocuspocus_says_is_refused(body: bytes) -> None:
    with pytest.raises(BadUpdate):
        hocuspocus_messages.decode(sync.block(NAME) + body)


def test_names_are_short_and_text() -> None:
    with pytest.raises(BadUpdate):
        hocuspocus_messages.decode(sync.block(b"x" * 201) + b"\3")
    with pytest.raises(BadUpdate):
        hocuspocus_messages.document_of(b"\xff")


@pytest.mark.parametrize("data", [b"", b"\4", b"\2\0", b"\0\0", b"\3" * 1001, b"\0\1\x05abc"])
def test_what_no_client_of_y_websocket_says_is_refused(data: bytes) -> None:
    with pytest.raises(BadUpdate):
        sync.decode(data)


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_bad_update(data: bytes) -> None:
    for decode in (sync.decode, hocuspocus_messages.decode):
        with contextlib.suppress(BadUpdate):
            decode(data)


@given(messages, st.data())
def test_whatever_is_cut_off_or_flipped_is_refused_or_another_message(message: Message, data: st.DataObject) -> None:
    whole = bytearray(encoded(message))
    at = data.draw(st.integers(0, len(whole) - 1))
    with contextlib.suppress(BadUpdate):
        sync.decode(bytes(whole[:at]))
    whole[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(BadUpdate):
        sync.decode(bytes(whole))
