"""What the owner could do next: a small rule over the words of their message, and no understanding of it."""

import re

from core_api.companions.chat_schema import ActionKind, SuggestedAction

MAX_ACTIONS = 2
"""Buttons below a reply; more are a menu."""
LABELS: dict[ActionKind, str] = {
    "seek_help": "Talk to somebody now",
    "call_friend": "Call a friend",
    "write_post": "Write a post",
    "start_document": "Start a document",
}
"""In the order of importance: the first that fit are suggested."""
STEMS: dict[ActionKind, str] = {
    "seek_help": r"suicid|kill myself|hurt myself|end my life|self.?harm",
    "call_friend": r"lonely|alone|miss(?:ing)? (?:my|him|her|them)|friends?\b|call(?:ing)? (?:my|him|her|them)",
    "write_post": r"blog|posts?\b|publish|article|share (?:this|it|my)|announce",
    "start_document": r"documents?\b|draft|notes?\b|outline|plan(?:ning)?\b|essay|agenda|list of|write down",
}
"""English only, and beginnings of words: whoever writes in another language gets no suggestions."""
PATTERNS = {kind: re.compile(rf"\b(?:{stems})", re.IGNORECASE) for kind, stems in STEMS.items()}


def suggested_actions(message: str) -> list[SuggestedAction]:
    """At most MAX_ACTIONS actions that fit the words of a message; the same for the same message."""
    fitting = [kind for kind in LABELS if PATTERNS[kind].search(message)]
    return [SuggestedAction(kind=kind, label=LABELS[kind]) for kind in fitting[:MAX_ACTIONS]]
