"""The feeling in a text, with the real model and word list."""

import time
from collections.abc import Iterator

import pytest

from core_api.companions.affect import EXAMPLES, Affect, nearest
from core_api.companions.embeddings_packaged import PackagedEmbedder


@pytest.fixture(scope="module")
def affect() -> Iterator[Affect]:
    embedder = PackagedEmbedder(queue=8)
    yield Affect(embedder)
    embedder.close()


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I got the job, I'm so happy!", "joy"),
        ("I love my new puppy", "love"),
        ("thanks for listening", "gratitude"),
        ("My cat died yesterday and I miss her", "sadness"),
        ("I am not happy at all", "sadness"),
        ("My boss yelled at me and I'm furious", "anger"),
        ("I'm terrified of the exam tomorrow", "fear"),
        ("Wow, I never saw that coming", "surprise"),
        ("The food was gross, I almost threw up", "disgust"),
        ("I live in Lisbon", "neutral"),
        ("I work as a nurse", "neutral"),
        ("What time is it?", "neutral"),
        ("ok", "neutral"),
    ],
)
async def test_feelings_are_told_apart(affect: Affect, text: str, label: str) -> None:
    emotion = await affect.of(text)
    assert emotion.label == label
    valence = 0 if label == "neutral" else EXAMPLES[emotion.label][0]
    assert emotion.sentiment * valence >= 0
    assert 0 <= emotion.intensity <= 1
    assert await affect.of(text) == emotion


@pytest.mark.parametrize("text", ["", " \n", "\0", "🎉" * 8_000, "!? " * 4_000, "not very " * 1_000, "日本" * 3_000])
async def test_any_text_has_an_emotion_in_a_short_time(affect: Affect, text: str) -> None:
    await affect.of("everything is loaded")
    started = time.process_time()
    emotion = await affect.of(text)
    assert time.process_time() - started < 0.5  # a thousand emoji took the word list 0.5 s, eight thousand a minute
    assert -1 <= emotion.sentiment <= 1


def test_good_and_bad_words_decide_between_equally_near_feelings() -> None:
    near = [0.5] * len(EXAMPLES)
    assert EXAMPLES[nearest(near, 0.8)[0]][0] == 1
    assert EXAMPLES[nearest(near, -0.8)[0]][0] == -1


def test_words_without_feeling_need_a_clearer_example() -> None:
    near = [0.4, *[0.0] * (len(EXAMPLES) - 1)]
    assert nearest(near, 0.1)[0] == "joy"
    assert nearest(near, 0.0)[0] == "neutral"
