"""core_api.companions.prompt: whatever people write, the words of the system role are ours."""

from hypothesis import given
from hypothesis import strategies as st

from core_api.companions.chat_schema import Role
from core_api.companions.language import Turn
from core_api.companions.memory_schema import Recalled
from core_api.companions.model import Message, new_companion
from core_api.companions.prompt import build_prompt, persona
from core_api.companions.schema import CompanionFields, GivenTraits
from hub.kernel.ids import UserId, new_uuid
from tests.support.clock import FrozenClock

NOW = FrozenClock().now()
OWNER = UserId(new_uuid())
TRAITS = GivenTraits(openness=0.9, agreeableness=0.1)
texts = st.text(min_size=1, max_size=200)


def said(text: str, role: Role = "user", seq: int = 1) -> Message:
    return Message(
        id=new_uuid(),
        seq=seq,
        role=role,
        text=text,
        status="done",
        responder=None,
        emotion=None,
        memory_ids=[],
        created_at=NOW,
    )


def recalled(text: str) -> Recalled:
    return Recalled(id=new_uuid(), text=text, score=0.5, created_at=NOW)


def turns(history: list[Message], characters: int) -> tuple[Turn, ...]:
    companion = new_companion(new_uuid(), OWNER, CompanionFields(name="Juno"), 1, NOW)
    return build_prompt(companion, history, "Hi", [], history_characters=characters).history


@given(
    name=texts,
    interests=st.lists(texts, max_size=3),
    style=texts,
    message=texts,
    earlier=st.lists(texts, max_size=3),
    memories=st.lists(texts, max_size=3),
)
def test_the_persona_does_not_depend_on_what_people_write(
    name: str, interests: list[str], style: str, message: str, earlier: list[str], memories: list[str]
) -> None:
    fields = CompanionFields(
        name=name, personality_traits=TRAITS, interests=interests, avatar_style=style, voice_id=style
    )
    companion = new_companion(new_uuid(), OWNER, fields, 7, NOW)
    prompt = build_prompt(
        companion,
        [said(text) for text in earlier],
        message,
        [recalled(text) for text in memories],
        history_characters=1_000,
    )
    plain = new_companion(new_uuid(), OWNER, CompanionFields(name="x", personality_traits=TRAITS), 7, NOW)
    assert prompt.persona == persona(plain.personality)
    assert prompt.message == message
    assert prompt.companion == name
    assert prompt.memories == tuple(memories)


def test_the_persona_says_what_the_numbers_are() -> None:
    companion = new_companion(new_uuid(), OWNER, CompanionFields(name="Juno", personality_traits=TRAITS), 7, NOW)
    text = persona(companion.personality)
    assert "openness 0.90" in text
    assert "curious, " in text
    assert all(habit in text for habit in companion.personality.quirks)
    assert "Juno" not in text


def test_the_latest_turns_are_kept_that_fit_and_begin_with_a_message() -> None:
    history = [said("third", "assistant"), said("2nd"), said("first", "assistant"), said("0th")]
    assert [turn.text for turn in turns(history, 100)] == ["0th", "first", "2nd", "third"]
    assert [turn.text for turn in turns(history, 13)] == ["2nd", "third"]  # "first" fits, its question does not
    assert turns(history, 4) == ()


@given(st.lists(st.tuples(texts, st.sampled_from(["user", "assistant"])), max_size=10), st.integers(0, 500))
def test_the_history_keeps_to_its_budget_and_its_order(said_before: list[tuple[str, Role]], characters: int) -> None:
    kept = turns([said(text, role) for text, role in said_before], characters)
    assert sum(len(turn.text) for turn in kept) <= characters
    assert list(kept) == [Turn(role, text) for text, role in reversed(said_before[: len(kept)])]
    assert not kept or kept[0].role == "user"


def test_replies_that_never_came_are_left_out() -> None:
    history = [said("", "assistant"), said("again?"), said("hello", "assistant"), said("hi")]
    assert [turn.text for turn in turns(history, 100)] == ["hi", "hello", "again?"]
