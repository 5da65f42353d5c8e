"""Awareness: read thinly, remembered by connection, removed with it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.awareness import GONE, MAX_BYTES, Awareness, State, decode, encode
from collab.decoding import BadUpdate

ANA = State(1, 5, b'{"name":"Ana"}')
BO = State(2, 1, b'{"name":"Bo"}')


def test_an_update_comes_back() -> None:
    assert decode(encode([ANA, BO])) == [ANA, BO]


@given(st.binary(max_size=100))
def test_garbage_raises_nothing_but_bad_update(data: bytes) -> None:
    with contextlib.suppress(BadUpdate):
        decode(data)


@pytest.mark.parametrize(
    "data", [encode([State(1, 1, b"{")]), encode([State(1, 1, b"[" * 5000)]), bytes(MAX_BYTES + 1)]
)
def test_what_is_no_json_or_too_large_is_refused(data: bytes) -> None:
    with pytest.raises(BadUpdate):
        decode(data)


def test_a_connection_that_goes_takes_its_own_states_along() -> None:
    seen = Awareness()
    seen.take("one", [ANA])
    seen.take("two", [ANA, BO])  # repeats what it heard of Ana
    removal = seen.remove("two")
    assert removal is not None
    assert decode(removal) == [State(2, 2, GONE)]
    present = seen.present()
    assert present is not None
    assert decode(present) == [ANA]
    assert seen.remove("two") is None


def test_an_older_state_does_not_replace_a_newer() -> None:
    seen = Awareness()
    seen.take("one", [ANA])
    seen.take("one", [State(1, 4, b"{}")])
    present = seen.present()
    assert present is not None
    assert decode(present) == [ANA]


def test_a_connection_cannot_have_more_than_the_limit_standing() -> None:
    seen = Awareness()
    half = b'"' + b"x" * (MAX_BYTES // 2) + b'"'
    seen.take("one", [State(1, 1, half)])
    with pytest.raises(BadUpdate):
        seen.take("one", [State(2, 1, half)])
