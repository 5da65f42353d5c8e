"""core_api.companions.personality: the same personality for the same traits and seed, and nothing but our words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_api.companions.personality import QUIRKS, TONES, TRAITS, Personality, personality
from core_api.companions.schema import GivenTraits, Traits

seeds = st.integers(0, 2**32 - 1)
values = st.none() | st.floats(0, 1)
given_traits = st.builds(GivenTraits, **dict.fromkeys(TRAITS, values))
OUR_TONES = {"balanced", *(tone for tones in TONES.values() for tone in tones)}
OUR_HABITS = {quirk.habit for quirk in QUIRKS}


@given(given_traits, seeds)
def test_it_is_the_same_each_time_and_complete(traits: GivenTraits, seed: int) -> None:
    one = personality(traits, seed)
    assert one == personality(traits, seed)
    for name in TRAITS:
        value = getattr(traits, name)
        assert getattr(one.traits, name) == value or value is None
        assert 0 <= getattr(one.traits, name) <= 1


@given(given_traits, seeds)
def test_how_it_shows_is_told_in_words_of_ours(traits: GivenTraits, seed: int) -> None:
    one = personality(traits, seed)
    assert one.tone
    assert set(one.tone) <= OUR_TONES
    assert set(one.quirks) <= OUR_HABITS
    assert len(set(one.quirks)) == 2


@given(seeds, st.sampled_from(TRAITS), st.floats(0, 1))
def test_giving_one_trait_leaves_the_drawn_ones_as_they_are(seed: int, name: str, value: float) -> None:
    fields: dict[str, Any] = {name: value}
    drawn, one = personality(GivenTraits(), seed), personality(GivenTraits(**fields), seed)
    assert [getattr(one.traits, other) for other in TRAITS if other != name] == [
        getattr(drawn.traits, other) for other in TRAITS if other != name
    ]


@pytest.mark.parametrize(("value", "words"), [(0.0, 0), (1.0, 1)])
def test_each_end_of_a_trait_has_its_word_and_the_middle_none(value: float, words: int) -> None:
    ends = personality(GivenTraits(**dict.fromkeys(TRAITS, value)), 1)
    assert ends.tone == tuple(tones[words] for tones in TONES.values())
    assert personality(GivenTraits(**dict.fromkeys(TRAITS, 0.5)), 1).tone == ("balanced",)


def test_no_habit_contradicts_a_trait() -> None:
    by_habit = {quirk.habit: quirk for quirk in QUIRKS}
    for seed in range(200):
        quiet = personality(GivenTraits(extraversion=0.0, neuroticism=1.0), seed)
        ends = {(by_habit[habit].trait, by_habit[habit].end) for habit in quiet.quirks}
        assert not ends & {("extraversion", "high"), ("neuroticism", "low")}


def test_seeds_differ() -> None:
    drawn = [personality(GivenTraits(), seed) for seed in range(200)]
    assert len({str(one) for one in drawn}) > 190
    mean = sum(one.traits.openness for one in drawn) / len(drawn)
    assert 0.45 < mean < 0.55


def test_companions_of_earlier_versions_stay_who_they_are() -> None:
    one = personality(GivenTraits(openness=0.9), 42)
    assert one == Personality(
        Traits(openness=0.9, conscientiousness=0.49, extraversion=0.33, agreeableness=0.57, neuroticism=0.24),
        ("curious", "quiet", "calm"),
        ("ends with a question", "asks what lies behind things"),
    )
