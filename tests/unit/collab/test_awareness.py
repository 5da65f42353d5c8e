"""The bytes of awareness: read thinly, and never trusted."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.awareness import MAX_BYTES, State, decode, encode
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
