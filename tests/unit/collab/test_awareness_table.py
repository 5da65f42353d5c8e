"""Who is where in a document: whose word counts, and when it goes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.awareness import GONE, MAX_BYTES, State
from collab.awareness_table import MAX_DOCUMENT_BYTES, SILENT_S, AwarenessTable
from collab.decoding import BadUpdate

ANA = State(1, 5, b'{"name":"Ana"}')
BO = State(2, 1, b'{"name":"Bo"}')
ANA_LATER = replace(ANA, clock=6)


def test_a_connection_that_goes_takes_its_own_states_along() -> None:
    table = AwarenessTable()
    table.take("one", [ANA], 0)
    assert table.take("two", [ANA, BO], 0) == [BO]  # it repeats what it heard of Ana
    assert table.remove("two", 0) == [BO.gone]
    assert table.present() == [ANA]
    assert table.remove("two", 0) == []


def test_what_is_not_newer_is_not_told() -> None:
    table = AwarenessTable()
    table.take("one", [ANA], 0)
    table.take("two", [BO], 0)
    for again in ([ANA], [replace(ANA, clock=4)], [BO, ANA]):
        assert table.take("two", again, 0) == []
        assert table.take("one", again, 0) == []
    assert table.present() == [ANA, BO]


def test_a_late_repetition_does_not_bring_back_who_left() -> None:
    table = AwarenessTable()
    table.take("one", [ANA], 0)
    table.take("two", [BO], 0)
    assert table.take("one", [State(1, 6, GONE)], 0) == [State(1, 6, GONE)]
    assert table.take("two", [ANA], 0) == []
    assert table.take("two", [ANA_LATER], 0) == []
    assert table.present() == [BO]


def test_who_comes_back_on_another_connection_is_there_again_and_stays_when_the_old_one_ends() -> None:
    table = AwarenessTable()
    table.take("old", [ANA], 0)
    table.take("new", [ANA], 0)  # the first word of a connection is about itself
    assert table.remove("old", 0) == []
    assert table.remove("new", 0) == [ANA.gone]
    assert table.take("third", [ANA], 0) == [ANA]


def test_only_its_own_connection_says_that_somebody_is_gone_at_the_same_clock() -> None:
    table = AwarenessTable()
    table.take("one", [ANA], 0)
    table.take("two", [BO], 0)
    assert table.take("two", [ANA.gone], 0) == []
    assert table.take("one", [ANA.gone], 0) == [ANA.gone]


def test_another_node_speaks_for_its_own_until_it_is_gone() -> None:
    table = AwarenessTable()
    assert table.hear("B", [ANA], 0) == [ANA]
    assert table.hear("B", [ANA], 0) == []
    assert table.nodes() == {"B"}
    assert table.own() == []
    assert table.hear("C", [ANA.gone], 0) == []
    assert table.hear("C", [ANA], 0) == []  # Ana moved there, which changes nothing for who looks
    assert table.hear("B", [ANA.gone], 0) == []
    assert table.remove_nodes({"B"}, 0) == []
    assert table.remove_nodes({"C"}, 0) == [ANA.gone]


def test_what_is_not_renewed_goes_after_30_s() -> None:
    table = AwarenessTable()
    table.take("one", [ANA], 0)
    table.hear("B", [BO], 1)
    table.take("one", [ANA_LATER], 15)
    assert table.expire(SILENT_S) == []
    assert table.expire(SILENT_S + 1) == [BO.gone]
    assert table.expire(SILENT_S + 15) == [ANA_LATER.gone]
    assert table.present() == []


def test_a_connection_cannot_have_more_than_the_limit_standing() -> None:
    table = AwarenessTable()
    half = b'"' + b"x" * (MAX_BYTES // 2) + b'"'
    table.take("one", [State(1, 1, half)], 0)
    with pytest.raises(BadUpdate):
        table.take("one", [State(2, 1, half)], 0)
    assert table.take("one", [State(1, 2, half)], 0)


def test_a_document_has_room_for_so_much() -> None:
    table = AwarenessTable()
    large = b'"' + b"x" * (MAX_BYTES - 200) + b'"'
    for client in range(MAX_DOCUMENT_BYTES // MAX_BYTES):
        assert table.take(f"connection {client}", [State(client, 1, large)], 0)
    with pytest.raises(BadUpdate):
        table.take("one more", [State(99, 1, large)], 0)
    assert table.hear("B", [State(99, 1, large)], 0) == []
    table.remove("connection 0", 0)
    assert table.take("one more", [State(99, 1, large)], 0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["take one", "take two", "hear B", "hear C", "remove one", "remove two", "die B"]),
            st.integers(0, 2),
            st.integers(0, 3),
            st.sampled_from([GONE, b"{}", b'{"a":1}']),
        )
    )
)
def test_who_follows_what_is_told_knows_who_is_present(steps: list[tuple[str, int, int, bytes]]) -> None:
    """A client applies what it is told by the rules of y-protocols, except that it may see a clock again."""
    table, seen = AwarenessTable(), dict[int, State]()
    for step, client, clock, json in steps:
        what, who = step.split()
        states = [State(client, clock, json)]
        match what:
            case "take":
                told = table.take(who, states, 0)
            case "hear":
                told = table.hear(who, states, 0)
            case "remove":
                told = table.remove(who, 0)
            case _:
                told = table.remove_nodes({who}, 0)
        for state in told:
            if state.json == GONE:
                seen.pop(state.client, None)
            else:
                seen[state.client] = state
        assert seen == {state.client: state for state in table.present()}
