"""Refresh tokens: their form, and the rule, against a model of what a family of them may do."""

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core_api.accounts.model import Session
from core_api.accounts.refresh import PREFIX, RefreshTokens, Verdict, judge, parse
from core_api.accounts.settings import AccountsSettings
from hub.kernel.clock import from_ms
from hub.kernel.ids import SessionId, UserId, new_uuid

START = from_ms(1_800_000_000_000)
RULES = AccountsSettings(refresh_grace_s=30, refresh_idle_s=1000, refresh_absolute_s=3000)
TOKENS = RefreshTokens(b"k" * 32)


def session(generation: int = 5, seed: bytes = b"s" * 16) -> Session:
    return Session(SessionId(new_uuid()), UserId(new_uuid()), "", "", START, START, seed, generation)


def verdict(generation: int, after_s: float = 0, **state: object) -> Verdict:
    return judge(replace(session(), **state), generation, START + timedelta(seconds=after_s), RULES)  # type: ignore[arg-type]


def test_a_token_says_its_session_and_generation_and_is_genuine() -> None:
    one = session()
    token = parse(TOKENS.issue(one))
    assert token is not None
    assert (token.session_id, token.generation) == (one.id, 5)
    assert TOKENS.genuine(token, one)


def test_the_same_state_gives_the_same_token_and_every_other_state_another() -> None:
    one = session()
    assert TOKENS.issue(one) == TOKENS.issue(replace(one, user_agent="other"))
    others = [replace(one, refresh_generation=6), replace(one, refresh_seed=b"t" * 16), session()]
    assert len({TOKENS.issue(state) for state in [one, *others]}) == 4


@given(st.integers(0, 51), st.integers(1, 255))
def test_a_token_with_any_byte_changed_is_not_genuine(place: int, flip: int) -> None:
    one = session()
    raw = bytearray(base64.urlsafe_b64decode(TOKENS.issue(one).removeprefix(PREFIX) + "=="))
    raw[place] ^= flip
    forged = parse(PREFIX + base64.urlsafe_b64encode(raw).rstrip(b"=").decode())
    assert forged is not None
    assert not TOKENS.genuine(forged, one)


def test_neither_the_key_nor_the_seed_alone_makes_a_token() -> None:
    one = session()
    for forger, state in [(RefreshTokens(b"x" * 32), one), (TOKENS, replace(one, refresh_seed=b"x" * 16))]:
        token = parse(forger.issue(state))
        assert token is not None
        assert not TOKENS.genuine(token, one)


@given(st.text(max_size=200) | st.text(max_size=100).map(PREFIX.__add__))
def test_anything_else_is_no_token(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("generation", "after_s", "expected"),
    [
        (5, 0, Verdict.ROTATE),
        (5, 999.999, Verdict.ROTATE),
        (5, 1000, Verdict.ENDED),
        (4, 0, Verdict.REPEAT),
        (4, 30, Verdict.REPEAT),
        (4, 30.001, Verdict.REUSED),
        (4, -2, Verdict.REPEAT),  # the other node's clock is ahead
        (3, 0, Verdict.REUSED),
        (1, 5000, Verdict.REUSED),
        (6, 0, Verdict.ENDED),
    ],
)
def test_the_bounds_of_the_rule(generation: int, after_s: float, expected: Verdict) -> None:
    assert verdict(generation, after_s) is expected


def test_a_busy_session_ends_at_its_absolute_age() -> None:
    assert verdict(5, 2999, refreshed_at=START + timedelta(seconds=2990)) is Verdict.ROTATE
    assert verdict(5, 3000, refreshed_at=START + timedelta(seconds=2990)) is Verdict.ENDED


@pytest.mark.parametrize(("generation", "expected"), [(5, Verdict.ENDED), (4, Verdict.ENDED), (3, Verdict.REUSED)])
def test_an_ended_session_stays_ended_and_reuse_is_told_even_then(generation: int, expected: Verdict) -> None:
    assert verdict(generation, 1, ended_at=START) is expected


class Family(RuleBasedStateMachine):
    """Any order of presenting tokens and waiting, judged and carried out as the service does."""

    def __init__(self) -> None:
        super().__init__()
        self.state = session(generation=1)
        self.now = START
        self.replaced_at: dict[int, object] = {}

    @property
    def alive(self) -> bool:
        return self.state.ended_at is None

    @rule(seconds=st.sampled_from([1, 29, 30, 31, 400, 999]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.alive)
    @rule(back=st.integers(0, 3))
    def present(self, back: int) -> None:
        generation = max(1, self.state.refresh_generation - back)
        current = self.state.refresh_generation
        answer = judge(self.state, generation, self.now, RULES)
        if answer is Verdict.ROTATE:
            assert generation == current
            self.state = replace(self.state, refresh_generation=current + 1, refreshed_at=self.now)
        elif answer is Verdict.REPEAT:
            # The one who repeats gets what the first one got, and no third token comes into being.
            assert generation == current - 1
            assert self.now - self.state.refreshed_at <= timedelta(seconds=30)
        elif answer is Verdict.REUSED:
            assert generation < current
            self.state = replace(self.state, ended_at=self.now)
        else:
            idle = self.now - self.state.refreshed_at >= timedelta(seconds=1000)
            assert idle or self.now - self.state.created_at >= timedelta(seconds=3000)

    @precondition(lambda self: not self.alive)
    @rule(back=st.integers(0, 3))
    def present_to_the_dead(self, back: int) -> None:
        generation = max(1, self.state.refresh_generation - back)
        assert judge(self.state, generation, self.now, RULES) in (Verdict.ENDED, Verdict.REUSED)

    @invariant()
    def at_most_two_tokens_are_good(self) -> None:
        newest = self.state.refresh_generation
        answers = [judge(self.state, generation, self.now, RULES) for generation in range(1, newest + 2)]
        good = [answer for answer in answers if answer in (Verdict.ROTATE, Verdict.REPEAT)]
        assert good in ([], [Verdict.ROTATE], [Verdict.REPEAT, Verdict.ROTATE])


TestFamily = Family.TestCase
TestFamily.settings = settings(max_examples=50, deadline=None)
