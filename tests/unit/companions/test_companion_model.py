"""core_api.companions.model: changes, and titles of conversations."""

from hypothesis import given
from hypothesis import strategies as st

from core_api.companions.model import MAX_TITLE, changed, new_companion, title_of
from core_api.companions.schema import CompanionChanges, CompanionFields, GivenTraits
from core_api.companions.templates import TEMPLATES
from hub.kernel.ids import UserId, new_uuid
from hub.kernel.wire import decode, to_wire
from tests.support.clock import FrozenClock


def test_a_change_touches_what_is_given_and_keeps_the_seed() -> None:
    clock = FrozenClock()
    fields = CompanionFields(name="Juno", voice_id="alto", interests=[" rivers", "rivers", "maps "])
    before = new_companion(new_uuid(), UserId(new_uuid()), fields, 7, clock.now())
    assert before.interests == ["rivers", "maps"]
    clock.advance(1)
    after = changed(before, CompanionChanges(name="Iris", voice_id=None), clock.now())
    assert (after.name, after.voice_id, after.interests) == ("Iris", None, ["rivers", "maps"])
    assert (after.version, after.updated_at, after.created_at) == (2, clock.now(), before.created_at)
    assert after.personality == before.personality


def test_new_traits_replace_the_given_ones_and_those_left_out_are_drawn_as_ever() -> None:
    now = FrozenClock().now()
    drawn = new_companion(new_uuid(), UserId(new_uuid()), CompanionFields(name="Juno"), 7, now)
    given = changed(drawn, CompanionChanges(personality_traits=GivenTraits(openness=1.0)), now)
    assert given.personality.traits.openness == 1.0
    assert given.personality.traits.neuroticism == drawn.personality.traits.neuroticism
    assert changed(given, CompanionChanges(personality_traits=GivenTraits()), now).personality == drawn.personality


@given(st.text(max_size=500))
def test_a_title_is_one_short_line(message: str) -> None:
    title = title_of(message)
    assert len(title) <= MAX_TITLE
    assert len(title.splitlines()) <= 1


def test_a_title_is_how_the_message_begins() -> None:
    assert title_of("  Hello,\n  you ") == "Hello, you"
    assert title_of(" " * 4_000 + "Hello") == "Hello"
    assert title_of("word " * 40) == ("word " * 16)[:79].rstrip() + "…"


def test_templates_can_be_sent_as_they_are() -> None:
    assert len({template.id for template in TEMPLATES}) == len(TEMPLATES)
    for template in TEMPLATES:
        assert decode(to_wire(template.fields), CompanionFields) == template.fields
