"""The first chapters: two people meet, watch each other, type, talk and publish."""

from hub.demo.errors import DemoError
from hub.demo.person import Person

TRIES = 30
"""Reconnects to land on the other of two nodes: all of them on the same one is a chance of 1 in 2³⁰."""


async def people(ada: Person, bob: Person) -> None:
    """Two accounts; Bob follows Ada."""
    for person in (ada, bob):
        await person.sign_up()
        person.does(f"signs up as {person.username}")
    await bob.api.post(f"/users/{ada.id}/follow")
    bob.does("follows ada")


async def connections(ada: Person, bob: Person) -> None:
    """Two sockets, on two nodes if there are two."""
    nodes = set(await ada.api.nodes()) | set(await bob.api.nodes())
    await ada.connect(ada.with_token)
    ada.has_seen(f"session:ready from node {ada.connection.node}, let in by access token")
    for _ in range(TRIES):
        await bob.connect(bob.with_ticket)
        if len(nodes) < 2 or bob.connection.node_id != ada.connection.node_id:
            break
    else:
        raise DemoError(f"bob came to ada's node {TRIES} times, although there are {len(nodes)}")
    which = "ada's as well" if bob.connection.node_id == ada.connection.node_id else "another than ada's"
    bob.has_seen(f"session:ready from node {bob.connection.node}, let in by ticket; the node is {which}")
    if len(nodes) < 2:
        bob.does("has no other choice: this hub has one node, so nothing here is shown across nodes")


async def presence(ada: Person, bob: Person) -> None:
    """Bob watches Ada, who becomes busy."""
    watched = (await bob.keep_asking("presence:watch", {"userIds": [ada.id]}))["users"][0]
    bob.has_seen(f"ada {watched['status']} in the snapshot of presence:watch")
    text = "writing"
    ada.does(f'is busy: "{text}"')
    await ada.ask("presence:update", {"status": "busy", "text": text})
    await bob.sees(
        "presence:diff",
        lambda diff: any(
            (user["userId"], user["status"], user.get("text")) == (ada.id, "busy", text) for user in diff["users"]
        ),
        what="presence:diff with ada busy",
    )
    bob.has_seen(f'ada busy: "{text}"')


async def room(ada: Person, bob: Person) -> None:
    """A public room, typing in it, and a message."""
    room = await ada.api.post("/rooms", {"name": "Analytical engines", "visibility": "public"})
    ada.does(f'opens the room "{room["name"]}"')
    await ada.keep_asking("room:join", {"roomId": room["id"]})
    joined = await bob.keep_asking("room:join", {"roomId": room["id"]})
    if joined["memberCount"] != 2:
        raise DemoError(f"two people joined, but the hub counts {joined['memberCount']}")
    bob.has_seen("that they are two in it")
    await _typing(ada, bob, f"room:{room['id']}")
    body = {"text": "The engine weaves algebraical patterns."}
    sent = await ada.ask("room:send", {"roomId": room["id"], "clientId": "1", "body": body})
    ada.does(f'says "{body["text"]}"')
    await bob.sees(
        "room:message",
        lambda message: (message["messageId"], message["from"], message["body"]) == (sent["messageId"], ada.id, body),
        what="room:message of ada",
    )
    bob.has_seen(f'ada\'s message {sent["seq"]}: "{body["text"]}"')


async def _typing(ada: Person, bob: Person, room: str) -> None:
    await ada.ask("typing:start", {"room": room})
    start = {"room": room, "userId": ada.id, "typing": True}
    await bob.sees("typing:update", lambda update: update == start, what="typing:update of ada's start")
    bob.has_seen("ada typing")
    await ada.ask("typing:stop", {"room": room})
    stop = {**start, "typing": False}
    await bob.sees("typing:update", lambda update: update == stop, what="typing:update of ada's end")
    bob.has_seen("ada stop typing")


async def post(ada: Person, bob: Person) -> None:
    """Ada publishes; Bob, who follows her, is told."""
    text = "It has no pretensions whatever to originate anything."
    content = {"blocks": [{"type": "paragraph", "text": text}]}
    post = await ada.api.post("/posts", {"title": "Note G", "content": content, "status": "PUBLISHED"})
    ada.does(f'publishes "{post["title"]}"')
    await bob.sees("content:new", lambda news: news["content"]["id"] == post["id"], what="content:new of ada's post")
    bob.has_seen(f'ada\'s new post "{post["title"]}"')
