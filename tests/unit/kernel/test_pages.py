"""hub.kernel.pages: cursors come back as they went out, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.errors import InvalidPayload
from hub.kernel.pages import decode_cursor, encode_cursor, page


@given(st.integers(-(2**53), 2**53), st.text())
def test_a_cursor_comes_back_as_it_went_out(number: int, text: str) -> None:
    assert decode_cursor(encode_cursor(number, text), tuple[int, str]) == (number, text)


@given(st.text())
def test_any_other_text_is_refused_with_the_fields_name(text: str) -> None:
    with pytest.raises(InvalidPayload) as caught:
        decode_cursor(text, tuple[int, str])
    assert caught.value.details["errors"][0]["pointer"] == "/cursor"


def test_the_extra_row_says_that_there_is_more_and_is_not_shown() -> None:
    first = page([1, 2, 3], 2, view=str, position=lambda row: (row,))
    assert first.data == ["1", "2"]
    assert first.page_info.has_next
    assert first.page_info.next_cursor == encode_cursor(2)
    assert not page([1, 2], 2, view=str, position=lambda row: (row,)).page_info.has_next
