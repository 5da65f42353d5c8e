"""core_api.companions.actions: suggestions are a rule over words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_api.companions.actions import MAX_ACTIONS, suggested_actions


@pytest.mark.parametrize(
    ("message", "kinds"),
    [
        ("I want to write a blog about Rome", ["write_post"]),
        ("Help me draft an outline", ["start_document"]),
        ("I feel so lonely", ["call_friend"]),
        ("Sometimes I think of suicide", ["seek_help"]),
        ("I could kill myself, and my friends would not notice. I'll draft a post.", ["seek_help", "call_friend"]),
        ("Hello!", []),
        ("The compost is postponed", []),
    ],
)
def test_words_suggest_actions_the_most_important_first(message: str, kinds: list[str]) -> None:
    assert [action.kind for action in suggested_actions(message)] == kinds


@given(st.text(max_size=2_000))
def test_any_text_gets_few_and_each_once(message: str) -> None:
    kinds = [action.kind for action in suggested_actions(message)]
    assert len(kinds) <= MAX_ACTIONS
    assert len(set(kinds)) == len(kinds)
