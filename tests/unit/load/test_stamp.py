"""Stamps come back out of whatever carried them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_tests.client.sdp import description, stamped
from load_tests.measures.stamp import Stamp
from tests.support.yjs import Writer, text_of

stamps = st.builds(Stamp, st.integers(0, 10**6), st.integers(0, 10**9), st.integers(0, 10**15))


@given(st.lists(stamps, max_size=5), st.text("ab @.1"))
def test_all_stamps_are_found_in_a_text_and_in_bytes_in_their_order(put: list[Stamp], between: str) -> None:
    carrier = between.join(map(str, put))
    assert Stamp.all_in(carrier) == put
    assert Stamp.all_in(b"\xff\x00" + carrier.encode() + b"\xfe") == put


@pytest.mark.parametrize("text", ["", "<1.2>", "<1.2@>", "<a.2@3>", "1.2@3", "<1.2@-3>"])
def test_what_is_no_stamp_is_none(text: str) -> None:
    assert Stamp.all_in(text) == []


def test_the_time_is_kept_to_the_microsecond() -> None:
    assert Stamp.of(1, 2, 12345.678901).due_s == pytest.approx(12345.678901, abs=1e-6)


def test_a_yjs_update_carries_a_stamp_in_one_piece_also_between_others() -> None:
    ada, bob = Writer(), Writer()
    first, second = Stamp(1, 1, 10), Stamp(2, 1, 20)
    update = ada.write(str(first))
    assert Stamp.all_in(update) == [first]
    other = bob.write(str(second))
    ada.take(other)
    assert set(Stamp.all_in(ada.doc.get_update())) == {first, second}
    assert set(Stamp.all_in(text_of(ada.doc.get_update()))) == {first, second}


def test_a_session_description_carries_one_stamp() -> None:
    stamp = Stamp(7, 1, 123)
    sdp = stamped(description(Random(1), setup="actpass"), stamp)
    assert Stamp.all_in(sdp) == [stamp]
    assert sdp.startswith("v=0\r\n")
    assert sdp.endswith("\r\n")
