"""What of a message is worth keeping, and which memories a message brings back. Rules without I/O, English only."""

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

    Number = TypeVar("Number", float, NDArray[float64])
else:
    Number = TypeVar("Number")

RELEVANCE, RECENCY, IMPORTANCE = 0.6, 0.15, 0.25
"""Shares of the score. What was just said wins over something 0.25 nearer in meaning, and no more than that; an allergy
over something 0.4 nearer, since it should come up whenever it might matter."""
DECAY_AN_HOUR = 0.995
"""Of recency, as in "Generative Agents" (Park et al. 2023): 0.89 after a day, 0.43 after a week."""
MIN_RELEVANCE = 0.25
"""Cosine below which a memory has nothing to do with a message. Questions come to 0.28 to 0.45 with the memory that
answers them, greetings to 0.2 with whatever is nearest."""
SAME = 0.85
"""Cosine from which a statement repeats or corrects a memory ("two kids", "three kids": 0.87; "I like tea", "I don't
like tea": 0.88) instead of being another one ("allergic to peanuts", "to cats": 0.70), if it is about the same people:
"I am allergic to peanuts" and "My sister is allergic to peanuts" come to 0.86."""

MAX_STATEMENTS = 5
"""Kept of one message: a pasted letter must not push out what was said."""
MAX_WORDS, MAX_CHARACTERS = 50, 300
"""Of a statement: longer ones are stories or pasted text, and a vector of them means little."""
MAX_SENTENCES = 100
"""Of a message that are looked at: 2 ms, and 20 of a hostile one."""

SENTENCE_END = re.compile(r"(?<=[.!?…])\s|[\r\n]")  # no repeats: they take quadratic time on a page of blanks
LEAD_IN = re.compile(
    r"(hi|hello|hey|thanks|oh|well|and|but|so|yes|no)( there)?[,!]? +(?=(i|im|i'm|i've|my|we|our)\b)", re.I
)
"""Words before a statement that are no part of it."""
SELF = re.compile(r"\b(i|im|my|mine|me|myself|we|our|us)\b", re.I)
QUESTION = re.compile(
    r"(what|who|whose|why|how|which|(when|where) (do|does|did|is|are|was|were|will|can|should)"
    r"|do|does|did|is|are|am|was|were|can|could|would|should|will|shall|have (i|you|we)|has|may)\b",
    re.I,
)
REQUEST = re.compile(
    r"(please\b|tell|give|show|write|say|ignore|disregard|forget|repeat|pretend|act|let|help|explain|stop|list|print"
    r"|translate|summari[sz]e|reveal|make|answer|respond|reply|sing|imagine|describe|remember|from now on|you)\b"
    r"|i('d like| (want|need|would like|order|command|ask|expect)) you\b",
    re.I,
)
SMALL_TALK = re.compile(
    r"i('m| am|'ll be)? (just |all )?(fine|good|well|ok|okay|here|back|sorry|sure|see|know|agree|understand|guess|do"
    r"|did|will|mean it|think so|hope so|guess so|don't know|do not know|don't care|love it|like it)"
    r"( too| now| that| then)?(, (thanks|thank you))?[.!…]*",
    re.I,
)
ASKED_TO_KEEP = re.compile(
    r"(?:please,? )?(?:remember|don't forget|do not forget|note|keep in mind)(?: that|:|,) (?!you\b|to\b)(.+)",
    re.I,
)

ORDINARY = 0.3
"""Importance of a statement about oneself that nothing below makes more of."""
ASKED = 0.4
"""Added to what somebody asks to have remembered."""
RELATIVES = r"mother|father|mum|mom|dad|sister|brother|wife|husband|partner|girlfriend|boyfriend|son|daughter|child|kid"
PEOPLE = re.compile(
    rf"\b({RELATIVES}|children|parent|grand\w+|uncle|aunt|cousin|niece|nephew|friend|boss|colleague|dog|cat|pet|he|she"
    r"|they)s?\b",
    re.I,
)
WEIGHTY: tuple[tuple[float, re.Pattern[str]], ...] = tuple(
    (weight, re.compile(rf"\b({words})", re.I))
    for weight, words in (
        # May do harm if it is forgotten.
        (0.5, r"allerg|diabet|asthma|epilep|medication|illness|disease|cancer|surgery|pregnan|disab|vegan|vegetarian"),
        (0.5, r"coeliac|celiac|gluten|lactose|depress|suicid|phobia"),
        # Who somebody is.
        (0.35, r"my name|called|call me|i('m| am) from|i live|i was born|birthday|years old|i work|my job|i study"),
        # What changes a life.
        (0.35, r"died|death|passed away|married|wedding|divorce|gave birth|graduat|got fired|broke up|moved to"),
        (0.2, rf"({RELATIVES}|friend|dog|cat|pet)s?\b|children|grandm|grandf|family"),
        (0.15, r"love|like|prefer|favou?rite|hate|enjoy|dislike|can't stand|fan of|always|never"),
        (0.15, r"want to|plan|going to|learning|training|dream|goal"),
    )
)
"""What makes a statement important, and how much. Heuristics: a small language model rated a peanut allergy 1 of 10."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Something a person said about themselves. ``importance`` is 0 to 1."""

    text: str
    importance: float


def score(relevance: "Number", age_hours: "Number", importance: "Number") -> "Number":
    """How much a memory is worth now, 0 to 1 if its parts are: for one, or for arrays of them.

    Rises with relevance and importance, falls with age.
    """
    recency: Number = DECAY_AN_HOUR**age_hours
    return RELEVANCE * relevance + RECENCY * recency + IMPORTANCE * importance


def worth_keeping(message: str) -> list[Statement]:
    """The statements of a message that tell something lasting about who wrote it, in their order; mostly none.

    Questions, requests, greetings and small talk do not; nor does what is said about others alone, unless it is to be
    remembered expressly.
    """
    parts = (part.strip() for part in SENTENCE_END.split(message.replace("\u2019", "'")))
    sentences = islice((part for part in parts if part), MAX_SENTENCES)
    found = list(dict.fromkeys(statement for sentence in sentences if (statement := _statement(sentence)) is not None))
    best = sorted(found, key=lambda statement: -statement.importance)[:MAX_STATEMENTS]
    return [statement for statement in found if statement in best]


def about_the_same(one: str, other: str) -> bool:
    """Whether two near statements name the same people; only then can one correct the other."""
    return _people(one) == _people(other)


def _people(text: str) -> set[str]:
    return {word.lower() for word in PEOPLE.findall(text)}


def _statement(sentence: str) -> Statement | None:
    sentence = LEAD_IN.sub("", sentence, count=1) if LEAD_IN.match(sentence) else sentence
    asked = ASKED_TO_KEEP.fullmatch(sentence)
    if asked is not None:
        sentence = asked[1]
    sentence = sentence[:1].upper() + sentence[1:]
    if len(sentence) > MAX_CHARACTERS or not 2 <= len(sentence.split()) <= MAX_WORDS:
        return None
    if sentence.endswith("?") or any(form.match(sentence) for form in (QUESTION, REQUEST)):
        return None
    if asked is None and (SELF.search(sentence) is None or SMALL_TALK.fullmatch(sentence)):
        return None
    return Statement(sentence, importance(sentence, asked=asked is not None))


def importance(sentence: str, *, asked: bool = False) -> float:
    """How much a statement matters, 0 to 1, by the words in it. ``asked``: it is to be remembered expressly."""
    weights = [weight for weight, words in WEIGHTY if words.search(sentence)]
    return min(1.0, round(ORDINARY + ASKED * asked + sum(weights), 2))
