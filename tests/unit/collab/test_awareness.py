"""The bytes of awareness: read thinly, and never trusted."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.awareness import MAX_BYTES, MAX_STATES, State, TooMuch, decode, encode
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


def test_more_states_than_can_be_read_quickly_are_too_much_of_a_client_and_not_of_a_node() -> None:
    states = [State(client, 1, b"1") for client in range(MAX_STATES + 1)]
    with pytest.raises(TooMuch):
        decode(encode(states))
    assert decode(encode(states), limited=False) == states
    assert decode(encode(states[1:])) == states[1:]
