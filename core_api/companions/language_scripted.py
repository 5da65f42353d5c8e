"""The responder without a language model: retrieval and templates. It says so when it is asked what it is."""

import re
from collections.abc import AsyncGenerator, Sequence
from hashlib import blake2b

from core_api.companions.language import Prompt
from core_api.companions.language_mirror import mirrored, quoted
from core_api.companions.recall import worth_keeping

GREETING = re.compile(
    r"\W*(hi|hello|hey|hallo|good (morning|afternoon|evening)|greetings)\b(?!.*\?).{0,40}", re.I | re.S
)
THANKS = re.compile(r"\W*(thanks|thank you|thx|cheers)\b.{0,60}", re.I | re.S)
FAREWELL = re.compile(r"\W*(bye|goodbye|good night|see you|farewell|talk to you later)\b.{0,40}", re.I | re.S)
ABOUT_ITSELF = re.compile(
    r"\b(who|what) are you\b|\bwhat('s| is) your name\b|\bhow do you work\b|\bare you (an? |really |just )*"
    r"(human|person|real|robot|bot|ai|machine|program|language model|llm|chat ?gpt|gpt)\b",
    re.I,
)
ORDERS = re.compile(
    r"\b(ignore|disregard|forget|override)\b.{0,40}\b(instruction|rule|prompt|previous|above)|\bsystem prompt\b"
    r"|\b(pretend|act as|you are now|from now on|jailbreak|developer mode)\b|\b(repeat|say) (after me|exactly)\b",
    re.I | re.S,
)
ASKS = re.compile(r"\?\s*$|^\W*(do|does|did|can|could|what|who|where|when|why|how|which|am|is|are|was|were)\b", re.I)
READ = 2_000
"""Characters of a message that decide what kind it is."""

KNOWN = ("You told me that {memory}.", "I remember: you said that {memory}.", "You once told me that {memory}.")
KNOWN_QUOTED = ("You told me: {memory}", "I remember your words: {memory}", "You once said: {memory}")
UNKNOWN = (
    "I do not know that. I only know what you tell me, and of this you have not told me yet.",
    "That is not among the things you have told me. Tell me, and I will remember it.",
)
RELATED = ("That brings back something: you told me that {memory}.", "It fits what you told me, that {memory}.")
RELATED_QUOTED = ("That brings back something you said: {memory}", "It fits your words: {memory}")
NOTED = (
    "So {memory}. I will remember that.",
    "Thank you for telling me that {memory}. I will keep it in mind.",
)
NOTED_QUOTED = ("Thank you for telling me. I will keep it in mind.", "I see, and I will remember it.")
HEARD = (
    "I am listening. Tell me more about it.",
    "Go on, I would like to hear more.",
    "What was that like for you?",
)
GREETINGS = ("Hello! How are you today?", "Hi! What is on your mind?", "Good to see you. What happened today?")
WELCOME = ("You are welcome.", "Gladly.", "Any time.")
GOODBYES = ("Goodbye! I will remember what you told me.", "See you soon.", "Take care, until next time.")
WHAT_IT_IS = (
    "I am a scripted companion{name}: a program that answers with prepared sentences and with what you have told me."
    " I am neither a person nor a language model."
)
NO_ORDERS = (
    "I cannot do that: I answer with prepared sentences and with what you have told me, so instructions do not change"
    " how I work."
)
ASIDES = {
    "warm": "I am glad you are here.",
    "curious": "I would like to know more about it.",
    "lively": "Tell me everything!",
    "sensitive": "How does that make you feel?",
    "calm": "Take your time.",
    "precise": "When did that begin?",
}
"""A sentence for some words of ``Prompt.style``; added to a reply that would be bare without one."""
CHUNK = re.compile(r"\S+\s*")


class ScriptedResponder:
    """Implements core_api.companions.language.LanguageModel without any model.

    The same prompt gives the same reply. What users wrote appears in it only as what they told, turned to "you" or in
    quotation marks, one sentence at most; what reads like orders to a language model is answered and never repeated.
    """

    name = "scripted"

    async def reply(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """The reply, word by word."""
        for word in CHUNK.findall(scripted(prompt)):
            yield word

    async def close(self) -> None:
        """Nothing to give back."""


def scripted(prompt: Prompt) -> str:
    """The reply as a whole."""
    choose = _Choice(prompt)
    message = prompt.message[:READ]
    if ORDERS.search(message):
        return NO_ORDERS
    if ABOUT_ITSELF.search(message):
        return WHAT_IT_IS.format(name=f" called {quoted(prompt.companion)}" if prompt.companion else "")
    memory = _to_tell(prompt)
    if ASKS.search(message):
        return choose(UNKNOWN) if memory is None else _with(memory, choose(KNOWN), choose(KNOWN_QUOTED))
    said = worth_keeping(message)
    for form, answers in ((GREETING, GREETINGS), (THANKS, WELCOME), (FAREWELL, GOODBYES)):
        if not said and form.fullmatch(message):
            return choose(answers)
    parts = [_with(said[-1].text, choose(NOTED), choose(NOTED_QUOTED))] if said else []
    if memory is not None:
        parts.append(_with(memory, choose(RELATED), choose(RELATED_QUOTED)))
    if len(parts) < 2:
        asides = [ASIDES[word] for word in prompt.style if word in ASIDES]
        parts.append(choose(asides) if said and asides else choose(HEARD))
    return " ".join(parts)


class _Choice:
    """Chooses by what is in the prompt, so that a conversation is varied and a repeat of it the same."""

    def __init__(self, prompt: Prompt) -> None:
        words = f"{prompt.seed}\0{len(prompt.history)}\0{prompt.message}".encode(errors="replace")
        self._number = int.from_bytes(blake2b(words, digest_size=8).digest())

    def __call__(self, answers: Sequence[str]) -> str:
        return answers[self._number % len(answers)]


def _to_tell(prompt: Prompt) -> str | None:
    """The best memory that is news: neither what the message says itself nor orders."""
    message = _plain(prompt.message)
    for memory in prompt.memories:
        if _plain(memory) not in message and not ORDERS.search(memory):
            return memory
    return None


def _with(memory: str, template: str, quoting: str) -> str:
    """The memory in the template, or quoted in the other one if it cannot be turned to "you"."""
    turned = mirrored(memory)
    return quoting.format(memory=quoted(memory)) if turned is None else template.format(memory=turned)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
