"""Server-sent events, however the network cuts them, and what a chat completion says in them."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_api.companions import language_sse
from core_api.companions.language_sse import Delta, EventStream, NotAStream, delta


def events(*parts: bytes) -> list[str]:
    stream = EventStream()
    return [event for part in parts for event in stream.feed(part)]


STREAM = "\ufeff: comment\r\ndata: grün 🎉\r\n\r\nevent: x\rdata: a\rdata:b\r\rid: 7\n\ndata: c\n\n".encode()


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_events_are_the_same_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    parts = [STREAM[start:end] for start, end in itertools.pairwise(places)]
    assert events(*parts) == ["grün 🎉", "a\nb", "c"]


def test_one_byte_at_a_time_also_within_characters_and_line_ends() -> None:
    assert events(*(bytes([byte]) for byte in STREAM)) == ["grün 🎉", "a\nb", "c"]


def test_an_event_is_not_given_before_its_end_nor_for_comments_and_blank_lines() -> None:
    assert events(b"data: a\n") == []
    assert events(b"data: a\n", b"\n") == ["a"]
    assert events(b": keep-alive\n\n\n\n:\n\n") == []


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert events(b"data: \xff\n\n") == ["\ufffd"]


@pytest.mark.parametrize("part", [b"x" * 2_000, b"data: " + b"x" * 600 + b"\n"])
def test_an_event_without_an_end_is_refused(part: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_sse, "MAX_EVENT", 1_000)
    with pytest.raises(NotAStream):
        events(part, part)


def chunk(**choice: object) -> str:
    return msgspec.json.encode({"id": "1", "choices": [choice]}).decode()


@pytest.mark.parametrize(
    ("data", "means"),
    [
        ("[DONE]", Delta(last=True)),
        (" [DONE] ", Delta(last=True)),
        (chunk(delta={"content": "Hel"}), Delta(text="Hel")),
        (chunk(delta={"role": "assistant", "content": None}), Delta()),
        (chunk(delta={}, finish_reason="length"), Delta(last=True)),
        (chunk(delta={"content": "."}, finish_reason="stop"), Delta(text=".", last=True)),
        ('{"choices": [], "usage": {"total_tokens": 9}, "error": null}', Delta()),
    ],
)
def test_what_a_chunk_means(data: str, means: Delta) -> None:
    assert delta(data) == means


@pytest.mark.parametrize(
    "data",
    ["", "nonsense", "[]", '{"error": {"message": "out of memory"}}', '{"choices": [{"delta": {"content": 7}}]}'],
)
def test_what_is_no_chunk_is_refused(data: str) -> None:
    with pytest.raises(NotAStream):
        delta(data)
