"""Somebody's own sentence, said back to them: "I miss my dog." becomes "you miss your dog". English."""

import re

WORDS = {
    "i": "you",
    "im": "you're",
    "i'm": "you're",
    "i've": "you've",
    "i'd": "you'd",
    "i'll": "you'll",
    "am": "are",
    "me": "you",
    "my": "your",
    "mine": "yours",
    "myself": "yourself",
}
WAS = re.compile(r"\bI was\b", re.I)
WORD = re.compile(r"[\w']+")
OWN = re.compile(r"(i|i'm|im|i've|i'd|my)\b", re.I)
"""How a sentence begins that stays one when it is turned round."""
YOU = re.compile(r"\byou(r|rs|rself)?\b", re.I)
MAX_CHARACTERS = 160
"""Of a sentence that is turned round; what is longer is quoted."""


def mirrored(sentence: str) -> str | None:
    """The sentence in the second person, without its full stop; ``None`` if it would not be one that people say.

    What speaks to "you" is not turned round: "you" is then the companion, and the words could be anybody's orders.
    """
    sentence = " ".join(sentence.split()).rstrip(".!… ")
    if len(sentence) > MAX_CHARACTERS or OWN.match(sentence) is None or YOU.search(sentence):
        return None
    if re.search(r"[.!?:;\"“”]", sentence):
        return None
    return WORD.sub(lambda word: WORDS.get(word[0].lower(), word[0]), WAS.sub("you were", sentence))


def quoted(sentence: str) -> str:
    """The sentence as a quotation of the user's: one line, without quotation marks of its own, cut at a word."""
    line = " ".join(re.sub(r"[\"“”«»]", "'", sentence).split())
    if len(line) > MAX_CHARACTERS:
        line = line[:MAX_CHARACTERS].rsplit(" ", 1)[0] + " …"
    return f"“{line}”"
