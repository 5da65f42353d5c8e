"""The chapter in which one talks with an AI companion, who answers word by word and remembers."""

from typing import Any

from hub.demo.errors import DemoError
from hub.demo.person import Person

FACT = "I am allergic to peanuts."
REPLY_S = 30.0
"""The first message of a node loads the model of its memories: 1 to 2 s, and more on a busy machine."""
QUESTION = "What am I allergic to?"


async def companion(ada: Person, _bob: Person) -> None:
    """Ada tells her companion something, and asks for it."""
    traits = {"openness": 0.9, "agreeableness": 0.8}
    made = await ada.api.post(
        "/ai/companions", {"name": "Clara", "personalityTraits": traits, "interests": ["mathematics"]}
    )
    ada.does(f"makes a companion, {made['name']}")
    told = await _say(ada, made["id"], FACT)
    asked = await _say(ada, made["id"], QUESTION, conversationId=told["conversationId"])
    if not any(FACT in memory["text"] for memory in asked["memories"]):
        raise DemoError(f"the companion does not remember {FACT!r}; it used {asked['memories']}")
    ada.has_seen(f'that the answer used the memory "{FACT}"')


async def _say(person: Person, companion_id: str, message: str, **more: str) -> dict[str, Any]:
    """The event that ends the reply, after its pieces were seen in order; with the conversation's id."""
    pieces: list[dict[str, Any]] = []
    person.connection.listen("companion:delta", pieces.append)
    sent = await person.ask("companion:chat", {"companionId": companion_id, "message": message, **more})
    person.does(f'says "{message}"')
    done = await person.sees(
        "companion:done", lambda event: event["messageId"] == sent["messageId"], what="companion:done", within_s=REPLY_S
    )
    streamed = [piece for piece in pieces if piece["messageId"] == sent["messageId"]]
    if [piece["seq"] for piece in streamed] != list(range(1, len(streamed) + 1)):
        raise DemoError(f"the pieces of the reply came out of order: {streamed}")
    if "".join(piece["text"] for piece in streamed) != done["text"]:
        raise DemoError(f"the pieces of the reply are not the reply: {streamed} {done['text']!r}")
    pieces_told = f"{len(streamed)} piece{'s' if len(streamed) > 1 else ''}"
    person.has_seen(f'the reply in {pieces_told}, by "{done["responder"]}": "{done["text"]}"')
    return {**done, "conversationId": sent["conversationId"]}
