"""Webhooks over real PostgreSQL and real HTTP: who is told what, how often, and what is refused."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from aiohttp import web

from collab.model import HAPPENED
from collab.schema import DocumentChanges, NewDocument
from collab.settings import CollabSettings
from collab.versions.schema import NewVersion
from collab.webhooks import model
from collab.webhooks.deliveries import Deliveries
from collab.webhooks.model import PAUSES, Outcome, signature
from collab.webhooks.schema import DeliveryView, NewWebhook, WebhookChanges
from collab.webhooks.sender import HttpSender
from collab.webhooks.service import Webhooks
from collab.webhooks.store_postgres import PostgresWebhooks
from hub.kernel.errors import Conflict, Forbidden, NotFound
from hub.kernel.pages import PageQuery
from tests.support.collab import RoleAccess, StartNode, person
from tests.support.library import Library, library
from tests.support.yjs import Writer

SETTINGS = CollabSettings(webhooks=2, webhook_waiting=3)
KEY = b"key"
ALL = ["document.changed", "document.updated", "document.deleted", "document.restored", "document.version"]


@dataclass
class Receiver:
    """Implements Sender: remembers what it was sent, and answers what it is told to."""

    answer: Outcome = field(default_factory=lambda: Outcome(204))
    got: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> Outcome:
        self.got.append((url, headers, json.loads(body)))
        return self.answer


class World:
    def __init__(self, here: Library, pool: asyncpg.Pool) -> None:
        self.here, self.pool, self.receiver = here, pool, Receiver()
        store, access = PostgresWebhooks(pool), RoleAccess(here.documents._store)
        self.webhooks = Webhooks(store, access, here.clock, SETTINGS, key=KEY)
        self.deliveries = Deliveries(store, self.receiver, here.clock, SETTINGS, key=KEY)

    async def make(self, events: list[str] | None = None, document_id: str | None = None) -> tuple[str, str]:
        new = NewWebhook(url="https://receiver.example/hook", events=events or ALL, document_id=document_id)  # type: ignore[arg-type]
        view, secret = await self.webhooks.create(self.here.owner, new)
        return view.id, secret

    async def relay(self) -> None:
        """Hand on what is in the outbox, as its relay does."""
        for row in await self.pool.fetch("DELETE FROM outbox WHERE topic = $1 RETURNING payload", HAPPENED):
            await self.deliveries.happened(json.loads(row["payload"]))

    async def listed(self, webhook_id: str) -> list[DeliveryView]:
        return (await self.webhooks.deliveries(self.here.owner, webhook_id, PageQuery(limit=100))).data

    def told(self) -> list[str]:
        return [body["type"] for _, _, body in self.receiver.got]


@pytest.fixture
async def world(pool: asyncpg.Pool, start_node: StartNode) -> AsyncIterator[World]:
    async with library(pool, await start_node(), SETTINGS) as here:
        yield World(here, pool)


async def test_what_happens_to_a_document_is_told_signed(world: World) -> None:
    here = world.here
    webhook_id, secret = await world.make()
    await here.documents.change(here.owner, here.document_id, DocumentChanges(title="New"), None)
    await world.relay()
    assert await world.deliveries.deliver() == 1
    (url, headers, body), *others = world.receiver.got
    assert others == []
    assert (url, body["type"], body["documentId"]) == (
        "https://receiver.example/hook",
        "document.updated",
        here.document_id,
    )
    raw = json.dumps(body, separators=(",", ":")).encode()
    expected = signature(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), raw)
    assert headers["webhook-signature"] == expected
    (delivery,) = await world.listed(webhook_id)
    assert (delivery.id, delivery.state, delivery.attempts, delivery.status) == (
        headers["webhook-id"],
        "delivered",
        1,
        204,
    )
    assert await world.deliveries.deliver() == 0


async def test_each_kind_of_event_is_told(world: World) -> None:
    here = world.here
    await world.make()
    await here.write(here.owner, Writer().write("x"))
    await here.contributions.flush()
    for happening in (
        here.versions.create(here.owner, here.document_id, NewVersion(name="Draft")),
        here.documents.change(here.owner, here.document_id, DocumentChanges(title="New"), None),
        here.documents.delete(here.owner, here.document_id, None),
        here.documents.undelete(here.owner, here.document_id),
    ):
        await happening
        await world.relay()
        await world.deliveries.deliver()
    assert sorted(world.told()) == sorted(ALL)
    version = next(body for _, _, body in world.receiver.got if body["type"] == "document.version")
    assert version["versionId"]


async def test_changes_that_nobody_wants_to_know_of_leave_nothing_in_the_outbox(world: World) -> None:
    await world.make(["document.deleted"])
    await world.here.write(world.here.owner, Writer().write("x"))
    await world.here.contributions.flush()
    assert await world.pool.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_webhook_is_told_of_its_document_and_of_the_events_that_it_wants(world: World) -> None:
    here = world.here
    await world.make(["document.updated"], here.document_id)
    other = await here.documents.create(here.owner, NewDocument(title="Other"))
    for document_id in (here.document_id, other.id):
        await here.documents.change(here.owner, document_id, DocumentChanges(title="New"), None)
        await here.documents.delete(here.owner, document_id, None)
    await world.relay()
    assert await world.deliveries.deliver() == 1
    assert [body["documentId"] for _, _, body in world.receiver.got] == [here.document_id]


async def test_only_the_present_owner_of_a_document_is_told(world: World) -> None:
    here = world.here
    await world.make()
    stranger = person()
    theirs = await here.documents.create(stranger, NewDocument(title="Theirs"))
    await here.documents.change(stranger, theirs.id, DocumentChanges(title="New"), None)
    member = await here.member("editor")
    await world.pool.execute("DELETE FROM outbox")
    await here.documents.transfer(here.owner, here.document_id, member.user_id)
    await here.documents.change(member, here.document_id, DocumentChanges(title="New"), None)
    await world.relay()
    assert await world.deliveries.deliver() == 0


async def test_many_changes_of_a_document_are_said_once_until_that_was_tried(world: World) -> None:
    here, writer = world.here, Writer()
    await world.make(["document.changed"])

    async def change() -> None:
        await here.write(here.owner, writer.write("x"))
        await here.contributions.flush()
        await world.relay()

    for _ in range(3):
        await change()
    world.receiver.answer = Outcome(500, "it answered 500")
    assert await world.deliveries.deliver() == 1
    await change()  # after the attempt began: the receiver may not know of this one
    world.receiver.answer = Outcome(200)
    assert await world.deliveries.deliver() == 1


async def test_it_is_tried_again_later_and_later_and_given_up_at_last(world: World) -> None:
    here = world.here
    webhook_id, _ = await world.make()
    world.receiver.answer = Outcome(503, "it answered 503")
    await world.deliveries.enqueue("document.updated", here.document_id)
    for pause in PAUSES:
        assert await world.deliveries.deliver() == 1
        (waiting,) = await world.listed(webhook_id)
        assert (waiting.state, waiting.due_at, waiting.error) == (
            "waiting",
            here.clock.now() + pause,
            "it answered 503",
        )
        here.clock.advance(pause.total_seconds() - 1)
        assert await world.deliveries.deliver() == 0
        here.clock.advance(1)
    assert await world.deliveries.deliver() == 1
    (failed,) = await world.listed(webhook_id)
    assert (failed.state, failed.attempts, failed.due_at) == ("failed", len(PAUSES) + 1, None)
    assert len({headers["webhook-id"] for _, headers, _ in world.receiver.got}) == 1


async def test_a_webhook_is_switched_off_after_many_failures_and_on_again_by_its_owner(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.webhooks.store_postgres.MOST_FAILURES", 2)
    here = world.here
    webhook_id, _ = await world.make(["document.updated"])
    world.receiver.answer = Outcome(error="it could not be reached")
    for _ in range(3):
        await world.deliveries.enqueue("document.updated", here.document_id)
    await world.deliveries.deliver()
    (view,) = (await world.webhooks.list(here.owner, PageQuery())).data
    assert view.disabled_at == here.clock.now()
    assert {one.state for one in await world.listed(webhook_id)} == {"failed"}
    await world.deliveries.enqueue("document.updated", here.document_id)
    here.clock.advance(86_400)
    assert await world.deliveries.deliver() == 0
    on = await world.webhooks.change(here.owner, webhook_id, WebhookChanges(active=True))
    assert (on.failures, on.disabled_at) == (0, None)
    world.receiver.answer = Outcome(200)
    await world.deliveries.enqueue("document.updated", here.document_id)
    assert await world.deliveries.deliver() == 1


async def test_a_success_begins_the_count_of_failures_anew(world: World) -> None:
    here = world.here
    await world.make()
    for answer in (Outcome(500, "it answered 500"), Outcome(200)):
        world.receiver.answer = answer
        await world.deliveries.enqueue("document.updated", here.document_id)
        await world.deliveries.deliver()
    (view,) = (await world.webhooks.list(here.owner, PageQuery())).data
    assert view.failures == 0


async def test_of_many_nodes_one_makes_an_attempt_and_another_makes_it_when_that_one_has_died(world: World) -> None:
    here = world.here
    await world.make()
    await world.deliveries.enqueue("document.updated", here.document_id)
    store, now = PostgresWebhooks(world.pool), here.clock.now()
    claims = await asyncio.gather(*(store.claim(now, now + model.PAUSES[0], 10) for _ in range(4)))
    assert sorted(len(one) for one in claims) == [0, 0, 0, 1]
    here.clock.advance(10)  # whoever had it says nothing
    assert await world.deliveries.deliver() == 1


async def test_what_waits_for_one_webhook_is_bounded(world: World) -> None:
    webhook_id, _ = await world.make()
    for _ in range(5):
        await world.deliveries.enqueue("document.updated", world.here.document_id)
    assert len(await world.listed(webhook_id)) == 3


async def test_deliveries_are_forgotten_a_week_after_they_ended(world: World) -> None:
    here = world.here
    webhook_id, _ = await world.make()
    await world.deliveries.enqueue("document.updated", here.document_id)
    await world.deliveries.deliver()
    await world.deliveries.enqueue("document.updated", here.document_id)  # and one that waits
    store = PostgresWebhooks(world.pool)
    assert await store.forget(here.clock.now()) == 0
    here.clock.advance(1)
    assert await store.forget(here.clock.now()) == 1
    assert [one.state for one in await world.listed(webhook_id)] == ["waiting"]


async def test_webhooks_are_their_owners_and_bounded(world: World) -> None:
    here, stranger = world.here, person()
    editor = await here.member("editor")
    webhook_id, _ = await world.make()
    for refused in (
        world.webhooks.change(stranger, webhook_id, WebhookChanges()),
        world.webhooks.remove(stranger, webhook_id),
        world.webhooks.deliveries(stranger, webhook_id, PageQuery()),
    ):
        with pytest.raises(NotFound):
            await refused
    new = NewWebhook(url="https://x.example", events=["document.changed"], document_id=here.document_id)
    with pytest.raises(Forbidden):
        await world.webhooks.create(editor, new)
    with pytest.raises(NotFound):
        await world.webhooks.create(stranger, new)
    await world.make()
    with pytest.raises(Conflict):
        await world.make()
    await world.webhooks.remove(here.owner, webhook_id)
    await world.make()


async def test_a_secret_is_stored_nowhere(world: World) -> None:
    _, secret = await world.make()
    await world.deliveries.enqueue("document.updated", world.here.document_id)
    for table in ("document_webhook", "document_webhook_delivery"):
        for row in await world.pool.fetch(f"SELECT t::text FROM {table} t"):
            assert secret.removeprefix("whsec_") not in row[0]


# Over HTTP

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[int]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    runners: list[web.AppRunner] = []

    async def start(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> int:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port: int = runner.addresses[0][1]
        return port

    yield start
    for runner in runners:
        await runner.cleanup()


async def sent(url: str, *, private: bool) -> Outcome:
    sender = HttpSender(private=private)
    await sender.open()
    try:
        return await sender.send(url, {"webhook-id": "1"}, b"{}")
    finally:
        await sender.close()


async def test_a_delivery_is_a_post_and_its_answer_is_not_read(serve: Serve) -> None:
    seen: list[tuple[str, str, bytes]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.headers["webhook-id"], await request.read()))
        response = web.StreamResponse()
        await response.prepare(request)
        with_end = False
        while not with_end:  # an answer without an end
            try:
                await response.write(b"x" * 65_536)
            except (ConnectionError, asyncio.CancelledError):
                with_end = True
        return response

    port = await serve(handler)
    assert (await sent(f"http://127.0.0.1:{port}/hook?a=1", private=True)).delivered
    assert seen == [("POST", "1", b"{}")]


PLAIN = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"]
ODD = ["127.1", "2130706433", "0x7f000001"]
"""What the resolver of the system would take for the same."""


@pytest.mark.parametrize("host", PLAIN + ODD)
async def test_addresses_that_are_not_public_are_not_connected_to(serve: Serve, host: str) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response()

    port = await serve(handler)
    outcome = await sent(f"http://{host}:{port}/", private=False)
    assert (outcome.delivered, asked) == (False, [])
    odd = set[str | None]() if host in PLAIN else {"the address is invalid", "its name is not known"}
    assert outcome.error in odd | {"the address is not public"}


async def test_a_redirect_is_not_followed(serve: Serve) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        raise web.HTTPTemporaryRedirect("/inside")

    port = await serve(handler)
    outcome = await sent(f"http://127.0.0.1:{port}/hook", private=True)
    assert (outcome.status, outcome.delivered, asked) == (307, False, ["/hook"])


async def test_a_receiver_that_does_not_answer_costs_a_bounded_time(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.webhooks.sender.TIMEOUT_S", 0.1)

    async def handler(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    outcome = await sent(f"http://127.0.0.1:{await serve(handler)}/", private=True)
    assert (outcome.status, outcome.error) == (None, "it did not answer within 0.1 s")


async def test_what_refuses_is_told_in_words_that_say_nothing_of_ports() -> None:
    assert (await sent("http://127.0.0.1:1/", private=True)).error == "it could not be reached"
