"""What waits for one client: each class of packet by its own rule, and how much it is."""

from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.transport.engineio.outbox import VOLATILE_BYTES, Backlog, Latest, Volatile

State = tuple[int, str]
"""A version, and the rest of a state."""


def render(states: Mapping[str, State]) -> bytes:
    return b"".join(f"<{key}{version}{text}>".encode() for key, (version, text) in states.items())


def latest(kind: str, **states: State) -> Latest:
    def version(state: Any) -> int:
        return int(state[0])

    return Latest.of(render(states), kind, lambda: states, render, version)


def backlog(packets: Iterable[bytes], *, keeps_volatile: bool = False) -> Backlog:
    waiting = Backlog()
    waiting.add(packets, keeps_volatile=keeps_volatile)
    return waiting


def test_messages_are_kept_in_order_and_counted() -> None:
    waiting = backlog([b"one", b"two"])
    waiting.add([b"three"], keeps_volatile=True)
    assert waiting.size == 11
    assert waiting.take() == [b"one", b"two", b"three"]


def test_nothing_waits_once_it_is_taken() -> None:
    waiting = backlog([b"one", latest("k", a=(1, ""))])
    waiting.take()
    assert waiting.size == 0
    assert waiting.take() == []


def test_volatile_packets_are_dropped_for_who_does_not_keep_up() -> None:
    waiting = backlog([b"one", Volatile(b"typing"), b"two"])
    assert waiting.size == 6
    assert waiting.take() == [b"one", b"two"]


def test_between_two_polls_volatile_packets_wait_as_long_as_little_does() -> None:
    packets: list[bytes] = [Volatile(b"x" * 1000) for _ in range(100)]
    waiting = backlog([*packets, b"kept"], keeps_volatile=True)
    kept = waiting.take()
    assert kept[-1] == b"kept"
    assert VOLATILE_BYTES <= sum(map(len, kept)) < VOLATILE_BYTES + 1000 + len(b"kept")


def test_of_full_states_the_highest_version_of_each_key_is_kept_ahead_of_messages() -> None:
    waiting = backlog([latest("k", a=(1, "old"), b=(5, "b")), b"message", latest("k", a=(2, "new"), b=(4, "late"))])
    assert waiting.take() == [b"<a2new><b5b>", b"message"]


def test_states_of_different_kinds_are_not_mixed() -> None:
    waiting = backlog([latest("k", a=(1, "")), latest("other", a=(2, ""))])
    assert waiting.take() == [b"<a1>", b"<a2>"]


def test_what_is_kept_of_a_packet_does_not_change_the_packet_which_others_get_too() -> None:
    shared = latest("k", a=(1, "x"))
    waiting = backlog([shared, latest("k", a=(2, "y"), b=(1, "z"))])
    assert shared.states() == {"a": (1, "x")}
    assert backlog([shared]).take() == [b"<a1x>"]
    assert waiting.take() == [b"<a2y><b1z>"]


def test_a_state_counts_as_long_as_it_is_now() -> None:
    waiting = backlog([latest("k", a=(1, "x"))])
    waiting.add([latest("k", a=(2, "x" * 100_000))], keeps_volatile=False)
    assert waiting.size == len(render({"a": (2, "x" * 100_000)}))
    waiting.add([latest("k", a=(3, "y"))], keeps_volatile=False)
    assert waiting.size == len(render({"a": (3, "y")}))


states = st.tuples(st.integers(0, 9), st.just("same length"))
packets = st.one_of(
    st.binary(min_size=1, max_size=9),
    st.binary(min_size=1, max_size=9).map(Volatile),
    st.builds(
        lambda kind, states: latest(kind, **states),
        st.sampled_from("kl"),
        st.dictionaries(st.sampled_from("abc"), states),
    ),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(packets, max_size=5), max_size=5))
def test_whatever_comes_the_newest_states_go_once_before_the_messages_in_order(
    added: list[list[bytes]],
) -> None:
    waiting, messages, newest = Backlog(), list[bytes](), dict[str, dict[str, State]]()
    for together in added:
        waiting.add(together, keeps_volatile=False)
        for packet in together:
            if isinstance(packet, Latest):
                kept = newest.setdefault(packet.kind, {})
                for key, state in packet.states().items():
                    kept[key] = max(kept.get(key, state), state)
            elif not isinstance(packet, Volatile):
                messages.append(packet)
    size, taken = waiting.size, waiting.take()
    assert taken[len(newest) :] == messages
    assert sorted(taken[: len(newest)]) == sorted(render(kept) for kept in newest.values())
    assert size == sum(map(len, taken))
