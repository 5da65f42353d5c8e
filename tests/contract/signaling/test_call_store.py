"""The Lua state machine against the model, and what Redis must keep when devices race and nodes die."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from hub.cluster.servers import link_to_any, servers_of
from hub.kernel.errors import Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, SessionId, UserId, new_ulid
from signaling.busy_redis import RedisBusyLines
from signaling.call.commands import (
    Accept,
    Alert,
    Away,
    Callee,
    Command,
    Create,
    End,
    Expire,
    Hold,
    Invite,
    Media,
    Move,
    Renew,
    Restart,
    Signal,
    Sync,
    Take,
    Tell,
    Upgrade,
)
from signaling.call.model import Call
from signaling.call.outcome import Owing, Verdict
from signaling.call.step import Times
from signaling.call.talking import SENT_KEPT
from signaling.call.transition import new_call
from signaling.redis_commands import ClientCommands, Commands, LinkedCommands
from signaling.settings import CallSettings
from signaling.store import PARTED, PARTED_S
from signaling.store_redis import PARTS, RedisCallStore, key_of, pair_of
from tests.support.calls import ModelCallStore, done
from tests.support.clock import FrozenClock
from tests.support.servers import Servers

SETTINGS = CallSettings()
LEASE_MS = SETTINGS.leg_lease_s * 1000
RING_MS = SETTINGS.ring_s * 1000


def device(user: str, number: int = 0, session: int | None = None) -> Caller:
    session_id = SessionId(f"{user}-s{number if session is None else session}")
    return Caller(UserId(user), session_id, ConnectionId(f"{user}-c{number}"))


ALICE, BOB, CAROL, MALLORY = device("alice"), device("bob"), device("carol"), device("mallory")
# Bob's third device is the second one after a reconnect: another connection of the same session.
BOBS = [BOB, device("bob", 1), device("bob", 2, session=1)]
DEVICES = [ALICE, device("alice", 1, session=0), *BOBS, CAROL, device("dave"), MALLORY]
PEOPLE = [Callee(UserId(name)) for name in ("bob", "carol", "dave")]
RINGS_UNTIL = FrozenClock().now_ms() + RING_MS

actors = st.sampled_from(DEVICES)
CALLEES = [*PEOPLE, Callee(UserId("dave"), absent=True)]
people = st.lists(st.sampled_from(CALLEES), min_size=1, max_size=2, unique_by=lambda one: one.user_id).map(tuple)
targets = st.sampled_from(["", "alice", "bob", "carol", "media", "mallory"])
generations = st.sampled_from([-1, -1, 0, 1, 2, 9])
commands = st.one_of(
    st.builds(Alert, actors),
    st.builds(Accept, actors, st.sampled_from([False, False, True]), st.sampled_from([0, 0, 2, 3])),
    st.builds(End, actors, st.sampled_from(["", "", "user_busy"])),
    st.builds(Invite, actors, people, st.sampled_from([RINGS_UNTIL, RINGS_UNTIL + 60_000]), st.booleans()),
    st.builds(Take, actors),
    st.builds(
        Signal,
        actors,
        st.integers(1, 4),
        st.sampled_from(["answer", "other"]),
        st.sampled_from(["{}", '"é"']),
        targets,
        generations,
    ),
    st.builds(Media, actors, st.sampled_from(["{}", '{"screen":true}'])),
    st.builds(Hold, actors, st.booleans()),
    st.builds(Upgrade, actors, st.sampled_from(["audio", "video"])),
    st.builds(Restart, actors, st.sampled_from([-1, 0, 1])),
    st.builds(Sync, actors),
    st.builds(Renew, actors),
    st.builds(Away, actors),
    st.builds(Tell, st.sampled_from(["alice", "bob", "carol"]), st.sampled_from(["answer", "other"]), st.just("{}")),
    st.builds(Move, st.sampled_from(["embedded", "mesh"]), st.sampled_from([0, 1, 5])),
    st.builds(Expire, st.sampled_from([False, False, True])),
    st.builds(Create, actors, people, st.just("audio"), st.just(RINGS_UNTIL)),
)
Steps = list[tuple[int, Command]]
# Blind choice seldom gets past the ringing, so most sequences are given a start.
ANSWERED: Steps = [(1, Accept(BOB))]
CONFERENCE: Steps = [*ANSWERED, (1, Invite(ALICE, tuple(PEOPLE), RINGS_UNTIL)), (1, Accept(CAROL))]
TRANSFER: Steps = [*ANSWERED, (1, Invite(BOB, (PEOPLE[1],), RINGS_UNTIL, transfer=True)), (1, Accept(CAROL))]
STARTS: list[Steps] = [[], ANSWERED, CONFERENCE, TRANSFER, [*CONFERENCE, (1, End(BOB)), (0, End(ALICE))]]
TALK = [Signal(leg, seq, kind, "{}") for leg in (ALICE, BOB) for seq in (1, 2, 3) for kind in ("answer", "other")]
timed = st.tuples(st.sampled_from([0, 0, 0, 0, 5, 20, 31, 60]), st.one_of(commands, st.sampled_from(TALK)))
steps = st.builds(lambda start, rest: start + rest, st.sampled_from(STARTS), st.lists(timed, max_size=25))
rings = st.sampled_from([(PEOPLE[0],), (PEOPLE[0],), tuple(PEOPLE[:2]), (PEOPLE[0], CALLEES[-1])])


@dataclass
class Node:
    clock: FrozenClock
    store: RedisCallStore
    commands: Commands


@pytest.fixture(params=["client", "link"])
async def node(request: pytest.FixtureRequest, redis: Redis, redis_url: str) -> AsyncIterator[Node]:
    clock = FrozenClock()
    linked = LinkedCommands(link_to_any(servers_of(redis_url)))
    commands = linked if request.param == "link" else ClientCommands(redis)
    yield Node(clock, RedisCallStore(commands, clock, SETTINGS), commands)
    await linked.close()


def ring(clock: FrozenClock, caller: Caller = ALICE, *callees: str) -> Create:
    to = tuple(Callee(UserId(callee)) for callee in callees or ("bob",))
    return Create(caller, to, "video", clock.now_ms() + RING_MS)


@given(rings, steps)
@settings(max_examples=250, deadline=None)
def test_lua_and_the_model_agree_on_every_sequence(
    servers_redis_url: str, to: tuple[Callee, ...], sequence: Steps
) -> None:
    async def play() -> None:
        async with Redis.from_url(servers_redis_url) as redis:
            clock, call_id = FrozenClock(), new_ulid()
            lua, plain = RedisCallStore(ClientCommands(redis), clock, SETTINGS), ModelCallStore(clock, LEASE_MS)
            create = Create(ALICE, to, "video", RINGS_UNTIL)
            assert await lua.create(call_id, create) == await plain.create(call_id, create)
            for seconds, command in sequence:
                clock.advance(seconds)
                assert await lua.apply(call_id, command) == await plain.apply(call_id, command), command
            for user in ("alice", "bob", "carol"):
                assert await lua.log(call_id, UserId(user), 0) == await plain.log(call_id, UserId(user), 0)

    asyncio.run(play())


@pytest.fixture(scope="module")
def servers_redis_url(servers: Servers) -> str:
    return servers.redis_url  # not emptied between examples: every one makes a call of its own


async def test_a_call_without_an_engine_takes_as_many_as_the_limit_says(node: Node) -> None:
    call_id = new_ulid()
    done(await node.store.create(call_id, ring(node.clock, ALICE, "bob", "carol")))
    done(await node.store.apply(call_id, Accept(BOB, mesh_limit=2)))
    full = await node.store.apply(call_id, Accept(CAROL, mesh_limit=2))
    assert full.verdict is Verdict.FULL
    assert full.call is not None
    assert (full.call.joined, full.version) == (2, full.call.version)
    assert (await node.store.apply(call_id, Accept(BOB, mesh_limit=2))).verdict is Verdict.REPEAT
    done(await node.store.apply(call_id, Move("embedded", 0)))
    done(await node.store.apply(call_id, Accept(CAROL, mesh_limit=2)))


async def test_of_eight_devices_and_a_cancelling_caller_one_wins_at_most_and_the_call_ends_once(
    redis_url: str,
) -> None:
    clock, dice = FrozenClock(), random.Random(7)
    clients = [Redis.from_url(redis_url) for _ in range(4)]
    nodes = [RedisCallStore(ClientCommands(client), clock, SETTINGS) for client in clients]
    outcomes = set()
    for _ in range(100):
        call_id = new_ulid()
        await nodes[0].create(call_id, ring(clock))
        moves: list[Command] = [*(Accept(device("bob", number)) for number in range(8)), End(ALICE)]
        dice.shuffle(moves)
        results = await asyncio.gather(
            *(node.apply(call_id, move) for node, move in zip(itertools.cycle(nodes), moves, strict=False))
        )
        won = [move for move, result in zip(moves, results, strict=True) if result.verdict is Verdict.DONE]
        log, _ = await nodes[0].log(call_id, ALICE.user_id, 0)
        assert [change.version for change in log] == list(range(1, len(log) + 1))
        assert sum(change.kind == "accepted" for change in log) == sum(isinstance(move, Accept) for move in won) <= 1
        assert sum(change.kind == "ended" for change in log) == 1
        assert log[-1].kind == "ended"
        outcomes.add(len(log))
    assert outcomes == {2, 3}  # both orders came up
    for client in clients:
        await client.aclose()


async def test_a_ring_deadline_counts_before_any_sweeper_saw_it(node: Node) -> None:
    call_id = new_ulid()
    done(await node.store.create(call_id, ring(node.clock)))
    node.clock.advance(SETTINGS.ring_s)
    late = await node.store.apply(call_id, Accept(BOB))
    assert (late.verdict, late.lapsed) == (Verdict.ENDED, True)
    assert late.call is not None
    assert late.call.reason == "invite_timeout"
    assert not (await node.store.apply(call_id, Accept(BOB))).lapsed  # told once


async def test_a_deadline_is_taken_by_one_node_and_comes_back_if_that_node_dies(node: Node, redis: Redis) -> None:
    other, call_id = RedisCallStore(ClientCommands(redis), node.clock, SETTINGS), new_ulid()
    await node.store.create(call_id, ring(node.clock))
    assert await node.store.take_due() == []
    node.clock.advance(SETTINGS.leg_lease_s)
    assert await node.store.take_due() == [call_id]
    assert await other.take_due() == []
    node.clock.advance(2)
    assert await other.take_due() == [call_id]


async def test_a_deadline_whose_call_was_never_created_is_found_and_dropped(node: Node, redis: Redis) -> None:
    call_id = new_ulid()
    await node.store.create(call_id, ring(node.clock))
    await redis.delete(key_of(call_id))  # as if the node had died between the two writes
    node.clock.advance(SETTINGS.leg_lease_s)
    assert await node.store.take_due() == [call_id]
    assert (await node.store.apply(call_id, Expire())).verdict is Verdict.UNKNOWN
    await node.store.forget(call_id)
    assert await deadlines(redis) == set()


async def test_a_call_that_fails_to_be_created_has_its_deadline_already(node: Node, redis: Redis) -> None:
    call_id = new_ulid()
    await redis.set(key_of(call_id), "in the way")  # the function fails where a node would have died
    with pytest.raises(Unavailable):
        await node.store.create(call_id, ring(node.clock))
    assert await deadlines(redis) == {call_id}


async def test_a_settled_call_comes_up_no_more_even_if_a_sweeper_was_just_looking(node: Node, redis: Redis) -> None:
    call_id = new_ulid()
    await node.store.create(call_id, ring(node.clock))
    call = done(await node.store.apply(call_id, End(ALICE)))
    await settle(node, call)
    assert await deadlines(redis) == set()
    await node.store.reschedule(call_id, node.clock.now_ms() + 1000)
    await node.store.create(call_id, ring(node.clock))  # a repeat of long ago
    assert await deadlines(redis) == set()


async def test_one_call_has_a_pair_until_it_is_given_back(node: Node, redis: Redis) -> None:
    pair = pair_of(ALICE.user_id, BOB.user_id)
    first = done(await node.store.create(new_ulid(), ring(node.clock)))
    second = done(await node.store.create(new_ulid(), ring(node.clock, BOB, "alice")))
    assert await node.store.claim_pair(first) == first.call_id
    assert await node.store.claim_pair(second) == first.call_id
    assert await node.store.claim_pair(second, instead_of="another") == first.call_id
    await settle(node, second)  # not its to give back
    assert await node.store.claim_pair(second) == first.call_id
    assert await node.store.claim_pair(second, instead_of=first.call_id) == second.call_id
    await settle(node, second)
    assert await redis.get(pair) is None
    assert await node.store.claim_pair(first) == first.call_id
    assert await redis.get(pair) == first.call_id.encode()


async def test_who_parts_two_people_finds_their_call_and_whoever_places_one_later_finds_that(node: Node) -> None:
    store, two = node.store, (BOB.user_id, ALICE.user_id)
    first, second = new_ulid(), new_ulid()
    assert (await store.place(first, ring(node.clock))).holder == first
    assert await store.part(*two) == await store.part(*two) == first
    assert await store.part(*two, instead_of=first) is None
    placed = await store.place(second, ring(node.clock))
    assert placed.holder.startswith(PARTED)
    assert await store.part(*two) is None
    call = done(placed.outcome)
    parted_anew = await store.claim_pair(call, instead_of=placed.holder)
    assert parted_anew.startswith(PARTED), "what came between them since the last look is seen too"
    assert await store.claim_pair(call, instead_of=parted_anew) == second
    assert await store.part(*two) == second


async def test_two_are_parted_for_a_minute(node: Node, redis: Redis) -> None:
    assert await node.store.part(ALICE.user_id, BOB.user_id) is None
    kept_ms = await redis.pttl(pair_of(BOB.user_id, ALICE.user_id))
    assert PARTED_S * 1000 - 5000 < kept_ms <= PARTED_S * 1000


async def test_a_call_is_placed_with_its_pair_and_says_whether_the_callee_is_in_another(node: Node) -> None:
    lines = RedisBusyLines(node.commands, SETTINGS)
    first, second = new_ulid(), new_ulid()
    placed = await node.store.place(first, ring(node.clock))
    assert (done(placed.outcome).call_id, placed.holder, placed.line) == (first, first, None)
    await lines.take([ALICE.user_id], "another")
    glare = await node.store.place(second, ring(node.clock, BOB, "alice"))
    assert (done(glare.outcome).call_id, glare.holder, glare.line) == (second, first, "another")


async def test_a_repeat_claims_the_pair_again_only_for_a_call_that_goes_on_between_the_two(
    node: Node, redis: Redis
) -> None:
    store, call_id, pair = node.store, new_ulid(), pair_of(ALICE.user_id, BOB.user_id)
    call = done((await store.place(call_id, ring(node.clock))).outcome)
    await store.release(call)  # as if the node had died before it claimed
    assert (await store.place(call_id, ring(node.clock))).holder == call_id
    assert (await store.place(call_id, ring(node.clock, BOB, "alice"))).holder == call_id, "its own pair stays"
    assert (await store.place(call_id, ring(node.clock, MALLORY))).outcome.verdict is Verdict.UNKNOWN
    assert await redis.get(pair_of(MALLORY.user_id, BOB.user_id)) is None
    done(await store.apply(call_id, Invite(ALICE, (PEOPLE[1],), RINGS_UNTIL)))
    await store.release(call)
    assert (await store.place(call_id, ring(node.clock))).holder == ""
    for leg in (ALICE, BOB, CAROL):
        await store.apply(call_id, End(leg))
    repeated = await store.place(call_id, ring(node.clock))
    assert (repeated.outcome.verdict, repeated.holder) == (Verdict.REPEAT, "")
    assert await redis.get(pair) is None


async def test_every_key_of_a_call_expires(node: Node, redis: Redis) -> None:
    call_id = new_ulid()
    call = done(await node.store.create(call_id, ring(node.clock)))
    await node.store.claim_pair(call)
    done(await node.store.apply(call_id, Accept(BOB)))
    done(await node.store.apply(call_id, Signal(ALICE, 1, "other", "{}")))
    keys = [key for key in cast("list[bytes]", await redis.keys("*")) if not key.endswith((b":due", b":owed"))]
    assert len(keys) == 6
    assert [key for key in keys if await redis.pttl(key) < 0] == []
    done(await node.store.apply(call_id, End(ALICE)))
    assert await redis.pttl(key_of(call_id)) <= SETTINGS.ended_kept_s * 1000


async def test_a_repeat_gets_its_first_version_as_long_as_it_is_kept(node: Node) -> None:
    call_id = new_ulid()
    await node.store.create(call_id, ring(node.clock))
    await node.store.apply(call_id, Accept(BOB))
    first = [(await node.store.apply(call_id, Signal(BOB, seq, "other", "{}"))).version for seq in range(1, 301)]
    repeats = [await node.store.apply(call_id, Signal(BOB, seq, "other", "{}")) for seq in range(1, 301)]
    assert [repeat.version for repeat in repeats[-SENT_KEPT:]] == first[-SENT_KEPT:]
    assert {repeat.version for repeat in repeats[:-SENT_KEPT]} == {first[-1]}
    assert {repeat.verdict for repeat in repeats} == {Verdict.REPEAT}
    log, complete = await node.store.log(call_id, ALICE.user_id, 0)
    assert (len(log), complete) == (258, False)  # 256 signals, and what was before them
    assert (await node.store.log(call_id, ALICE.user_id, first[-2]))[1]
    assert [change.kind for change in (await node.store.log(call_id, BOB.user_id, 0))[0]] == ["ringing", "accepted"]


async def test_a_redis_that_is_not_there_is_unavailable_in_every_method(unused_tcp_port_url: str) -> None:
    clock = FrozenClock()
    async with Redis.from_url(unused_tcp_port_url) as gone:
        store = RedisCallStore(ClientCommands(gone), clock, SETTINGS)
        call = new_call("01", ring(clock), Times(0, 1, 1)).call
        assert isinstance(call, Call)
        for attempt in (
            store.create("01", ring(clock)),
            store.apply("01", Accept(BOB)),
            store.log("01", ALICE.user_id, 0),
            store.claim_pair(call),
            store.part(ALICE.user_id, BOB.user_id),
            store.place("01", ring(clock)),
            store.release(call),
            store.overdue(0.0),
            store.told([Owing("01", 1, "1-0")]),
            store.take_due(),
            store.reschedule("01", 1),
            store.forget("01"),
        ):
            with pytest.raises(Unavailable):
                await attempt


@pytest.fixture
def unused_tcp_port_url() -> str:
    return "redis://127.0.0.1:1"  # tcpmux: nothing listens there


async def settle(node: Node, call: Call) -> None:
    await node.store.release(call)
    await node.store.forget(call.call_id)


async def deadlines(redis: Redis) -> set[str]:
    parts = [await redis.zrange(f"{{calls:{part}}}:due", 0, -1) for part in range(PARTS)]
    return {call_id.decode() for part in cast("list[list[bytes]]", parts) for call_id in part}
