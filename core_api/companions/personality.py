"""Who a companion is: five traits, and the words and habits that follow from them. The same for the same input."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from core_api.companions.schema import GivenTraits, Traits

TRAITS = ("openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism")
LOW, HIGH = 0.35, 0.65
"""Below and above, a trait shows. In between it is what everybody has, and says nothing."""
QUIRKS_EACH = 2
"""One is a tic, three are a caricature."""
TONES = {
    "openness": ("down-to-earth", "curious"),
    "conscientiousness": ("easy-going", "precise"),
    "extraversion": ("quiet", "lively"),
    "agreeableness": ("frank", "warm"),
    "neuroticism": ("calm", "sensitive"),
}
"""The word for little and for much of each trait."""


@dataclass(frozen=True, slots=True)
class Quirk:
    """A habit, and the end of a trait that it belongs to; ``None`` fits everybody."""

    habit: str
    trait: str | None = None
    end: Literal["low", "high"] | None = None


QUIRKS = (
    Quirk("asks what lies behind things", "openness", "high"),
    Quirk("compares things with faraway places", "openness", "high"),
    Quirk("likes examples from everyday life", "openness", "low"),
    Quirk("numbers the points it makes", "conscientiousness", "high"),
    Quirk("comes back to what was left open", "conscientiousness", "high"),
    Quirk("changes the subject gladly", "conscientiousness", "low"),
    Quirk("celebrates small successes", "extraversion", "high"),
    Quirk("keeps its sentences short", "extraversion", "low"),
    Quirk("asks how one feels about it", "agreeableness", "high"),
    Quirk("names the weak point first", "agreeableness", "low"),
    Quirk("thinks of what could go wrong", "neuroticism", "high"),
    Quirk("finds the bright side", "neuroticism", "low"),
    Quirk("ends with a question"),
    Quirk("remembers dates"),
    Quirk("loves a good proverb"),
)


@dataclass(frozen=True, slots=True)
class Personality:
    """All five traits, and how they show. Every word of it is ours."""

    traits: Traits
    tone: tuple[str, ...]
    quirks: tuple[str, ...]


def personality(given: GivenTraits, seed: int) -> Personality:
    """The personality that the given traits and a seed make.

    Given traits stay as they are. Each missing one depends on the seed alone, so giving another one does not change it.
    """
    values = {name: _value(given, name, seed) for name in TRAITS}
    return Personality(Traits(**values), tuple(_tone(values)) or ("balanced",), tuple(_quirks(values, seed)))


def _value(given: GivenTraits, name: str, seed: int) -> float:
    value: float | None = getattr(given, name)
    if value is not None:
        return value
    # The mean of three throws: most people are near the middle of a trait.
    return round(sum(_draw(seed, name, str(throw)) for throw in range(3)) / 3, 2)


def _tone(values: dict[str, float]) -> Iterable[str]:
    for name, (little, much) in TONES.items():
        if values[name] < LOW:
            yield little
        elif values[name] > HIGH:
            yield much


def _quirks(values: dict[str, float], seed: int) -> list[str]:
    fitting = [quirk.habit for quirk in QUIRKS if _fits(quirk, values)]
    return sorted(fitting, key=lambda habit: _draw(seed, habit))[:QUIRKS_EACH]


def _fits(quirk: Quirk, values: dict[str, float]) -> bool:
    if quirk.trait is None:
        return True
    return values[quirk.trait] < LOW if quirk.end == "low" else values[quirk.trait] > HIGH


def _draw(seed: int, *names: str) -> float:
    """A number from 0 to 1 that only this seed has under this name, on every machine and version of Python."""
    digest = blake2b("/".join((str(seed), *names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
