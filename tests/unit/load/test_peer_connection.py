"""Peer connections of callers: aiortc over the loopback."""

import aioice.ice
import pytest

from load_tests.client.peer_connection import PeerConnection, PeerConnections
from load_tests.measures.faults import Unheard

WITHIN_S = 10.0


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> tuple[PeerConnection, PeerConnection]:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", aioice.ice.get_host_addresses)  # put back in the end
    made = PeerConnections(only_loopback=True)
    return made.make(), made.make()


def test_who_is_connected_hears_the_other(pair: tuple[PeerConnection, PeerConnection]) -> None:
    caller, callee = pair
    caller.connect(callee.answer(caller.offer(WITHIN_S), WITHIN_S), WITHIN_S)
    for one in pair:
        one.close()


def test_nothing_but_the_loopback_is_offered(pair: tuple[PeerConnection, PeerConnection]) -> None:
    caller, _ = pair
    lines = caller.offer(WITHIN_S).splitlines()
    assert {line.split()[4] for line in lines if line.startswith("a=candidate:")} == {"127.0.0.1"}
    caller.close()


def test_a_callee_who_has_gone_is_not_heard(pair: tuple[PeerConnection, PeerConnection]) -> None:
    caller, callee = pair
    answer = callee.answer(caller.offer(WITHIN_S), WITHIN_S)
    callee.close()
    with pytest.raises(Unheard):
        caller.connect(answer, 0.3)
    caller.close()
