"""Random keystrokes of one user on several connections: what is shown is what is true."""

from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.ids import ConnectionId, RoomName, UserId
from presence.typists import Typists

EXPIRES_MS, REPEAT_MS = 6000, 2000
ROOM, ANN = RoomName("room:1"), UserId("ann")

steps = st.tuples(
    st.sampled_from(["type", "stop", "sweep"]),
    st.sampled_from([ConnectionId("c1"), ConnectionId("c2"), ConnectionId("c3")]),
    st.integers(0, 4000),
)


@given(history=st.lists(steps, max_size=40))
def test_a_user_is_shown_as_typing_exactly_while_a_connection_types(
    history: list[tuple[str, ConnectionId, int]],
) -> None:
    typists, now_ms, shown, shown_ms = Typists(EXPIRES_MS, REPEAT_MS), 0, False, 0
    until_ms: dict[ConnectionId, int] = {}
    for action, connection_id, later_ms in history:
        now_ms += later_ms
        if action == "type":
            told = typists.typing(ROOM, ANN, connection_id, now_ms)
            until_ms[connection_id] = now_ms + EXPIRES_MS
            assert told == (not shown or now_ms - shown_ms >= REPEAT_MS)
            shown, shown_ms = True, now_ms if told else shown_ms
        elif action == "stop":
            typed = until_ms.pop(connection_id, None) is not None
            assert typists.stopped(ROOM, ANN, connection_id) == (typed and not until_ms)
            shown = bool(until_ms)
        else:
            until_ms = {one: until for one, until in until_ms.items() if until > now_ms}
            assert typists.expired(now_ms) == ([(ROOM, ANN)] if shown and not until_ms else [])
            shown = bool(until_ms)
        assert len(typists) == shown


def test_rooms_and_users_are_apart() -> None:
    typists = Typists(EXPIRES_MS, REPEAT_MS)
    for room, user_id in ((ROOM, ANN), (RoomName("doc:1"), ANN), (ROOM, UserId("ben"))):
        assert typists.typing(room, user_id, ConnectionId("c1"), 0)
    assert typists.stopped(ROOM, ANN, ConnectionId("c1"))
    assert len(typists) == 2
