"""Random histories of one user, in Valkey and in a few lines of Python: they must agree at every step."""

import uuid
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from hub.kernel.events import DeviceKind
from hub.kernel.ids import ConnectionId, NodeId, UserId
from presence.model import Connection, Held, Record, Status, View, part_of
from presence.store_redis import RedisPresenceStore

T0 = 1_800_000_000_000
HOLD_MS = 5000
CHOSEN = [status for status in Status if status is not Status.OFFLINE]

Named = tuple[str, DeviceKind]
WEB: Named = ("it", "web")
PHONE: Named = ("it", "mobile")


@dataclass(frozen=True)
class Step:
    """What happens next to one connection."""

    action: str
    name: str
    device: Named = WEB
    status: Status = Status.ONLINE
    text: str | None = None
    ends_in_ms: int = 0


names = st.sampled_from(["c1", "c2", "c3"])
devices = st.sampled_from([WEB, PHONE])
steps = st.one_of(
    st.builds(Step, st.just("connect"), names, devices),
    st.builds(
        Step,
        st.just("update"),
        names,
        devices,
        st.sampled_from(CHOSEN),
        st.sampled_from([None, "", "lunch", "back soon"]),
        st.sampled_from([0, 1500, 9000]),
    ),
    st.builds(Step, st.sampled_from(["hold", "idle", "active"]), names),
    st.builds(Step, st.sampled_from(["expire", "bury"]), names),
)


@dataclass
class Expected:
    """What a user's presence ought to be."""

    chosen: dict[Named, Status] = field(default_factory=dict)
    connections: dict[str, Named] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    idle: set[str] = field(default_factory=set)
    text: str = ""
    until_ms: int = 0

    def of(self, device: Named) -> set[str]:
        return {name for name, its in self.connections.items() if its == device}

    def is_idle(self, device: Named) -> bool:
        return bool(self.of(device)) and self.of(device) <= self.idle

    def register(self, name: str, device: Named, status: Status, *, comes_back: bool) -> None:
        was_idle = self.is_idle(device)
        before = self.connections.get(name)
        self.connections[name] = device
        self.held.pop(name, None)
        self.chosen.setdefault(device, status)
        if before is not None:
            self.drop_if_unused(before)
        for other in [other for other in self.held if self.connections[other] == device]:
            del self.held[other], self.connections[other]
            self.idle.discard(other)
        if comes_back and was_idle:
            self.idle.add(name)
        else:
            self.idle.discard(name)

    def update(self, name: str, device: Named, status: Status, text: str | None, until_ms: int) -> None:
        self.register(name, device, status, comes_back=False)
        self.chosen[device] = status
        if text is not None:
            self.text, self.until_ms = text, until_ms if text else 0

    def hold(self, name: str, now_ms: int) -> None:
        if name in self.connections:
            self.held.setdefault(name, now_ms)

    def notice(self, name: str, *, idle: bool) -> None:
        if name in self.connections:
            (self.idle.add if idle else self.idle.discard)(name)

    def remove(self, name: str) -> None:
        self.held.pop(name, None)
        self.idle.discard(name)
        status = self.drop_if_unused(self.connections.pop(name))
        if status is Status.INVISIBLE:
            self.chosen = dict.fromkeys(self.chosen, Status.INVISIBLE)

    def drop_if_unused(self, device: Named) -> Status | None:
        return None if self.of(device) else self.chosen.pop(device)

    def status(self, device: Named) -> Status:
        chosen = self.chosen[device]
        return Status.AWAY if chosen is Status.ONLINE and self.is_idle(device) else chosen

    def end_text(self, now_ms: int) -> None:
        if not self.chosen or 0 < self.until_ms <= now_ms:
            self.text, self.until_ms = "", 0

    def content(self, *, to_others: bool) -> tuple[object, ...]:
        shown = {device: self.status(device) for device in self.chosen}
        if to_others and Status.INVISIBLE in shown.values():
            return Status.OFFLINE, "", 0, {}
        return max(shown.values(), default=0), self.text, self.until_ms, shown


def content(view: View) -> tuple[object, ...]:
    shown = {(device.name, device.kind): device.status for device in view.devices}
    return view.status, view.text or "", view.text_until_ms or 0, shown


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, max_size=25))
async def test_any_history_gives_the_expected_state_and_a_new_version_exactly_when_a_view_changed(
    redis_url: str, history: list[Step]
) -> None:
    user_id, node_id, now_ms = UserId(str(uuid.uuid4())), NodeId("01NODE"), T0
    expected, before = Expected(), Record(user_id)
    async with Redis.from_url(redis_url) as client:
        store = RedisPresenceStore(client)
        online_before = await online(client, user_id)
        for step in history:
            now_ms += 1000
            await take(step, store, expected, user_id, node_id, now_ms)
            record = await stored(client, store, user_id)
            assert content(record.own()) == expected.content(to_others=False)
            assert content(record.shown()) == expected.content(to_others=True)
            assert (record.version > before.version) == (content(record.own()) != content(before.own()))
            assert (record.shown_version > before.shown_version) == (content(record.shown()) != content(before.shown()))
            assert record.version >= before.version
            assert await online(client, user_id) - online_before == bool(expected.chosen)
            before = record
        _ = [change async for change in store.bury(node_id, now_ms)]
        _ = [change async for change in store.expire(now_ms + HOLD_MS)]


async def online(client: Redis, user_id: UserId) -> int:
    """How many users of the same part are there."""
    return int(await client.get(f"hub:presence:{{p{part_of(user_id)}}}:online") or 0)


async def stored(client: Redis, store: RedisPresenceStore, user_id: UserId) -> Record:
    """What is stored, whether or not a text in it is over."""
    [record] = await store.read([user_id], 0)
    return record


async def take(
    step: Step, store: RedisPresenceStore, expected: Expected, user_id: UserId, node_id: NodeId, now_ms: int
) -> None:
    name, kind = step.device
    until_ms = now_ms + step.ends_in_ms if step.ends_in_ms and step.text else 0
    one = Connection(
        ConnectionId(step.name), user_id, node_id, name, kind, step.status, step.text, until_ms, active_ms=now_ms
    )
    changes_user = True
    match step.action:
        case "connect":
            expected.register(step.name, step.device, step.status, comes_back=True)
            await store.connect(one, now_ms)
        case "update":
            expected.update(step.name, step.device, step.status, step.text, until_ms)
            await store.update(one, now_ms)
        case "hold":
            changes_user = False
            expected.hold(step.name, now_ms)
            await store.hold([Held(one, now_ms, now_ms + HOLD_MS)])
        case "idle" | "active":
            changes_user = step.name in expected.connections
            is_idle = step.action == "idle"
            expected.notice(step.name, idle=is_idle)
            noticed = Connection(ConnectionId(step.name), user_id, node_id, "", idle=is_idle, active_ms=now_ms)
            _ = [change async for change in store.notice([noticed], now_ms)]
        case "expire":
            due = [(at, lost) for lost, at in expected.held.items() if at + HOLD_MS <= now_ms]
            for _, lost in sorted(due):
                expected.remove(lost)
            _ = [change async for change in store.expire(now_ms)]
        case _:
            live = sorted(expected.connections.keys() - expected.held.keys())
            changes_user = bool(live)
            for name in live:
                expected.remove(name)
            _ = [change async for change in store.bury(node_id, now_ms)]
    if changes_user:
        expected.end_text(now_ms)
