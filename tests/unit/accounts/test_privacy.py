"""Who sees and calls whom: the rules, and their use for many at once."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_api.accounts.calling import CallRule
from core_api.accounts.privacy import Audience, Privacy, Relation, may_call, visibility
from core_api.accounts.sight import Pair, SightRule
from hub.kernel.ids import UserId
from hub.kernel.sight import Circle, Sight, Visibility

ADA, BOB, EVE = UserId("ada"), UserId("bob"), UserId("eve")

# What the rule is, written out by hand: presence, last seen, then what a stranger and a friend see.
MATRIX = """
everyone everyone  everything everything
everyone friends   status     everything
everyone nobody    status     status
friends  everyone  nothing    everything
friends  friends   nothing    everything
friends  nobody    nothing    status
nobody   everyone  nothing    nothing
nobody   friends   nothing    nothing
nobody   nobody    nothing    nothing
"""
CASES = [line.split() for line in MATRIX.strip().splitlines()]

privacies = st.builds(Privacy, st.sampled_from(Audience), st.sampled_from(Audience))
relations = st.builds(Relation, st.booleans(), st.booleans())
BY_WIDTH = [Audience.NOBODY, Audience.FRIENDS, Audience.EVERYONE]


@pytest.mark.parametrize(("presence", "last_seen", "stranger", "friend"), CASES)
def test_settings_say_what_strangers_and_friends_see(presence: str, last_seen: str, stranger: str, friend: str) -> None:
    privacy = Privacy(Audience(presence), Audience(last_seen))
    assert visibility(privacy, Relation()) is Visibility[stranger.upper()]
    assert visibility(privacy, Relation(friends=True)) is Visibility[friend.upper()]


def test_the_matrix_has_every_choice() -> None:
    assert {(presence, last_seen) for presence, last_seen, *_ in CASES} == {(a, b) for a in Audience for b in Audience}


def test_who_has_chosen_nothing_is_seen_by_everybody() -> None:
    assert visibility(Privacy(), Relation()) is Visibility.EVERYTHING


@given(privacies, st.booleans())
def test_a_block_goes_before_all_settings(privacy: Privacy, friends: bool) -> None:
    assert visibility(privacy, Relation(blocked=True, friends=friends)) is Visibility.NOTHING


@given(privacies, relations)
def test_a_friend_never_sees_less_than_a_stranger(privacy: Privacy, relation: Relation) -> None:
    assert visibility(privacy, Relation(relation.blocked, friends=True)) >= visibility(privacy, relation)


@given(privacies, relations, st.sampled_from(BY_WIDTH))
def test_a_wider_audience_never_shows_less(privacy: Privacy, relation: Relation, audience: Audience) -> None:
    presence = max(privacy.presence, audience, key=BY_WIDTH.index)
    last_seen = max(privacy.last_seen, audience, key=BY_WIDTH.index)
    for wider in (Privacy(presence, privacy.last_seen), Privacy(privacy.presence, last_seen)):
        assert visibility(wider, relation) >= visibility(privacy, relation)


CALLS = [(Audience.EVERYONE, True, True), (Audience.FRIENDS, False, True), (Audience.NOBODY, False, False)]


@pytest.mark.parametrize(("audience", "stranger", "friend"), CALLS)
def test_settings_say_who_may_call(audience: Audience, stranger: bool, friend: bool) -> None:
    privacy = Privacy(calls=audience)
    assert [may_call(privacy, Relation(friends=friends)) for friends in (False, True)] == [stranger, friend]
    assert not may_call(privacy, Relation(blocked=True, friends=True))
    assert visibility(privacy, Relation()) is Visibility.EVERYTHING, "who may not call may see"


class Relations:
    """Implements core_api.accounts.sight.Relations: Ada is everybody's friend, Bob blocks, others are unknown."""

    def __init__(self) -> None:
        self.asked: list[Sequence[Pair]] = []

    async def relations(self, pairs: Sequence[Pair]) -> Mapping[Pair, tuple[Privacy, Relation]]:
        self.asked.append(pairs)
        known = {ADA: (Privacy(Audience.FRIENDS), Relation(friends=True)), BOB: (Privacy(), Relation(blocked=True))}
        return {pair: known[pair[1]] for pair in pairs if pair[1] in known}

    async def circle(self, user_id: UserId, circle: Circle, limit: int) -> list[UserId]:
        return [ADA, BOB][:limit]


async def test_many_are_looked_up_at_once_and_oneself_not_at_all() -> None:
    relations = Relations()
    rule: Sight = SightRule(relations)
    assert await rule.seen_by(EVE, [ADA, BOB, EVE, UserId("nobody")]) == {
        ADA: Visibility.EVERYTHING,
        BOB: Visibility.NOTHING,
        EVE: Visibility.EVERYTHING,
        "nobody": Visibility.NOTHING,
    }
    assert await rule.shown_to(ADA, [ADA, EVE]) == {ADA: Visibility.EVERYTHING, EVE: Visibility.EVERYTHING}
    assert relations.asked == [[(EVE, ADA), (EVE, BOB), (EVE, "nobody")], [(EVE, ADA)]]
    assert await rule.seen_by(EVE, [EVE]) == {EVE: Visibility.EVERYTHING}
    assert len(relations.asked) == 2


async def test_those_who_may_be_called_are_looked_up_at_once() -> None:
    relations = Relations()
    assert await CallRule(relations).reachable(EVE, [ADA, BOB, UserId("nobody")]) == {ADA}
    assert relations.asked == [[(EVE, ADA), (EVE, BOB), (EVE, "nobody")]]
