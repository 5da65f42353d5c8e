"""collab.native.confirmations against the count of HocuspocusProvider 4.8."""

from hypothesis import given
from hypothesis import strategies as st

from collab.native.confirmations import Confirmations


class Provider:
    """Counts as HocuspocusProvider does: 1 at its step 1, one more for each change, one less for each confirmation."""

    def __init__(self) -> None:
        self.count = 0

    def confirmed(self, times: int) -> None:
        for _ in range(times):
            self.count -= self.count > 0


def test_an_answer_after_a_gap_confirms_the_change_and_nothing_else() -> None:
    told = Confirmations()
    told.client_asks()
    told.hub_asks(with_answer=True)
    assert told.stored(is_answer=True) == 1
    told.not_stored(is_answer=False)
    told.hub_asks(with_answer=False)
    assert told.stored(is_answer=True) == 1
    assert told.stored(is_answer=False) == 1


def test_what_was_typed_before_the_first_answer_is_confirmed_by_it() -> None:
    told = Confirmations()
    told.client_asks()
    told.hub_asks(with_answer=True)
    told.not_stored(is_answer=False)
    told.hub_asks(with_answer=False)
    assert [told.stored(is_answer=True), told.stored(is_answer=True)] == [2, 0]


@given(st.lists(st.sampled_from(["change", "gap", "refused", "again"]), max_size=30))
def test_all_is_shown_as_saved_when_it_is_and_not_before(happens: list[str]) -> None:
    """After each step everything that the client sent so far is settled, and all that was not stored is asked for."""
    told, provider, unsaved = Confirmations(), Provider(), 0

    def answer() -> None:
        nonlocal unsaved
        provider.confirmed(told.stored(is_answer=True))
        unsaved = 0
        assert provider.count == 0

    for what in ["again", *happens, "again"]:
        if what == "again":
            provider.count = 1
            told.client_asks()
            told.hub_asks(with_answer=True)
            answer()
            continue
        provider.count += 1
        if what == "change":
            provider.confirmed(told.stored(is_answer=False))
            assert provider.count == unsaved
        else:
            told.not_stored(is_answer=False)
            unsaved += 1
            assert provider.count == unsaved
        if what == "gap":
            told.hub_asks(with_answer=False)
            answer()
