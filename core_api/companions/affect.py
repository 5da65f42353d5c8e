"""What feeling a text carries: good or bad by a word list, which feeling by its nearness to examples."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from core_api.companions.embeddings import Embedder, Matrix
from hub.kernel.wire import Wire

Feeling = Literal["joy", "love", "gratitude", "sadness", "anger", "fear", "surprise", "disgust", "neutral"]

EXAMPLES: dict[Feeling, tuple[int, tuple[str, str, str]]] = {
    "joy": (1, ("I am so happy today!", "This is wonderful news, I could dance.", "We won and I am thrilled.")),
    "love": (1, ("I love you so much.", "I adore my daughter.", "You mean the world to me.")),
    "gratitude": (1, ("Thank you so much for your help.", "I am grateful to you.", "I really appreciate it.")),
    "sadness": (-1, ("I feel so sad and empty.", "I miss her and cannot stop crying.", "I am lonely and heartbroken.")),
    "anger": (-1, ("I am so angry right now.", "This makes me furious.", "I hate them, it is outrageous.")),
    "fear": (-1, ("I am scared of what will happen.", "I am worried and anxious.", "It terrifies me.")),
    "surprise": (0, ("Wow, I did not expect that!", "I cannot believe it, what a surprise.", "That is astonishing.")),
    "disgust": (-1, ("That is disgusting.", "It makes me sick, how gross.", "The smell was revolting.")),
}
"""Per feeling whether it is good or bad, and three sentences that have it."""
AGREEMENT = 0.15
"""Added to the nearness of a feeling that is as good or bad as the words: examples alone take "not happy" for joy."""
CLEAR, CLEAR_BY_ITSELF = 0.35, 0.45
"""Nearness from which a text has a feeling: where its words are good or bad, and where they are neither. Remarks
without a feeling ("ok", "I work as a nurse") come to 0.33 from an example of the same words."""
MAX_CHARACTERS, MAX_SYMBOLS = 1_000, 20
"""Of a text, and of its emoji, that the word list reads. It puts several words for each emoji, and its time grows with
the square of the words: 0.5 s for a thousand emoji, under 2 ms for this."""
SYMBOLS = "\u2190"
"""Arrows, signs and emoji come from here on; no letters of the word list do."""


class Emotion(Wire):
    """The feeling in a text."""

    sentiment: Annotated[float, Meta(ge=-1, le=1, description="-1 bad, 1 good")]
    label: Feeling
    intensity: Annotated[float, Meta(ge=0, le=1)]


class Affect:
    """Reads feelings. English only; other languages are mostly neutral.

    What it needs is loaded at the first use, in threads. The same text always gives the same answer.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._sentiments: Any = None
        self._examples: Matrix | None = None

    async def of(self, text: str) -> Emotion:
        """The feeling in ``text``. Raises Overloaded when too much waits for the embeddings."""
        if not text.strip():
            return Emotion(sentiment=0.0, label="neutral", intensity=0.0)
        if self._examples is None:
            self._examples = await self._embedder.embed([s for _, sentences in EXAMPLES.values() for s in sentences])
        (row,) = await self._embedder.embed([text])
        nearness = (self._examples @ row).reshape(len(EXAMPLES), 3).max(axis=1)
        sentiment = await asyncio.to_thread(self._sentiment, text)
        label, clearness = nearest([float(value) for value in nearness], sentiment)
        return Emotion(sentiment=sentiment, label=label, intensity=round(max(abs(sentiment), clearness), 3))

    def _sentiment(self, text: str) -> float:
        """-1 to 1. Two threads may both load the list at first: it is the same."""
        if self._sentiments is None:
            from vaderSentiment import vaderSentiment  # noqa: PLC0415 - with requests, and only in a thread

            self._sentiments = vaderSentiment.SentimentIntensityAnalyzer()
        return float(self._sentiments.polarity_scores(_bounded(text))["compound"])


def nearest(nearness: Sequence[float], sentiment: float) -> tuple[Feeling, float]:
    """The feeling of a text by its nearness to each of EXAMPLES, and how clear it is (0 to 1)."""
    agreed = {
        feeling: near + AGREEMENT * valence * sentiment
        for (feeling, (valence, _)), near in zip(EXAMPLES.items(), nearness, strict=True)
    }
    feeling = max(agreed, key=agreed.__getitem__)
    if agreed[feeling] < (CLEAR if sentiment else CLEAR_BY_ITSELF):
        return "neutral", 0.0
    return feeling, min(1.0, agreed[feeling])


def _bounded(text: str) -> str:
    text = text[:MAX_CHARACTERS]
    symbols = [place for place, character in enumerate(text) if character >= SYMBOLS]
    return text[: symbols[MAX_SYMBOLS]] if len(symbols) > MAX_SYMBOLS else text
