"""Random histories of one user, in Valkey and in a few lines of Python: they must agree at every step."""

import uuid
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from hub.kernel.ids import ConnectionId, NodeId, UserId
from presence.model import Connection, Record, Status, View
from presence.store_redis import RedisPresenceStore

T0 = 1_800_000_000_000
HOLD_MS = 5000
CHOSEN = [status for status in Status if status is not Status.OFFLINE]

names = st.sampled_from(["c1", "c2", "c3"])
steps = st.one_of(
    st.tuples(st.just("connect"), names, st.sampled_from(["web", "phone"]), st.just(Status.ONLINE), st.none()),
    st.tuples(
        st.just("update"),
        names,
        st.sampled_from(["web", "phone"]),
        st.sampled_from(CHOSEN),
        st.sampled_from([None, "", "lunch", "back soon"]),
    ),
    st.tuples(st.just("hold"), names, st.just(""), st.just(Status.ONLINE), st.none()),
    st.tuples(st.sampled_from(["expire", "bury"]), names, st.just(""), st.just(Status.ONLINE), st.none()),
)


@dataclass
class Expected:
    """What a user's presence ought to be."""

    devices: dict[str, Status] = field(default_factory=dict)
    connections: dict[str, str] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    text: str | None = None

    def register(self, name: str, device: str, status: Status) -> None:
        before = self.connections.get(name)
        self.connections[name] = device
        self.held.pop(name, None)
        self.devices.setdefault(device, status)
        if before is not None:
            self.drop_if_unused(before)
        for other in [other for other in self.held if self.connections[other] == device]:
            del self.held[other], self.connections[other]

    def update(self, name: str, device: str, status: Status, text: str | None) -> None:
        self.register(name, device, status)
        self.devices[device] = status
        self.text = self.text if text is None else text or None

    def hold(self, name: str, now_ms: int) -> None:
        if name in self.connections:
            self.held.setdefault(name, now_ms)

    def remove(self, name: str) -> None:
        self.held.pop(name, None)
        status = self.drop_if_unused(self.connections.pop(name))
        if status is Status.INVISIBLE:
            self.devices = dict.fromkeys(self.devices, Status.INVISIBLE)
        if not self.devices:
            self.text = None

    def drop_if_unused(self, device: str) -> Status | None:
        return None if device in self.connections.values() else self.devices.pop(device)

    def content(self, *, to_others: bool) -> tuple[object, ...]:
        hidden = to_others and Status.INVISIBLE in self.devices.values()
        return (
            (Status.OFFLINE, None, {}) if hidden else (max(self.devices.values(), default=0), self.text, self.devices)
        )


def content(view: View) -> tuple[object, ...]:
    return view.status, view.text, {device.name: device.status for device in view.devices}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, max_size=25))
async def test_any_history_gives_the_expected_state_and_a_new_version_exactly_when_a_view_changed(
    redis_url: str, history: list[tuple[str, str, str, Status, str | None]]
) -> None:
    user_id, node_id, now_ms = UserId(str(uuid.uuid4())), NodeId("01NODE"), T0
    expected, before = Expected(), Record(user_id)
    async with Redis.from_url(redis_url) as client:
        store = RedisPresenceStore(client)
        for action, name, device, status, text in history:
            now_ms += 1000
            one = Connection(ConnectionId(name), user_id, node_id, device, status, text)
            if action == "connect":
                expected.register(name, device, status)
                await store.connect(replace(one, text=None), now_ms)
            elif action == "update":
                expected.update(name, device, status, text)
                await store.update(one, now_ms)
            elif action == "hold":
                expected.hold(name, now_ms)
                await store.hold([one], now_ms)
            elif action == "expire":
                for lost in [
                    lost for lost, at in sorted(expected.held.items(), key=lambda i: i[::-1]) if at <= now_ms - HOLD_MS
                ]:
                    expected.remove(lost)
                _ = [change async for change in store.expire(now_ms - HOLD_MS, now_ms)]
            else:
                for live in sorted(expected.connections.keys() - expected.held.keys()):
                    expected.remove(live)
                _ = [change async for change in store.bury(node_id, now_ms)]
            [record] = await store.read([user_id])
            assert content(record.own()) == expected.content(to_others=False)
            assert content(record.shown()) == expected.content(to_others=True)
            assert (record.version > before.version) == (content(record.own()) != content(before.own()))
            assert (record.shown_version > before.shown_version) == (content(record.shown()) != content(before.shown()))
            before = record
        _ = [change async for change in store.bury(node_id, now_ms)]
        _ = [change async for change in store.expire(now_ms, now_ms)]
