"""Calls between real browsers on two nodes: the page, its call client, and media that really flows."""

import asyncio
from typing import Any

import pytest

from tests.e2e.conftest import Script
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.timeout(300)
"""As a limit: browsers that encode and decode pictures, on cores that others use too."""


@pytest.fixture(scope="module")
def seen(flow: Script) -> dict[str, Any]:
    """What came of one call after the other, of the same people in the same pages: to make these takes most time."""
    return asyncio.run(_calls(flow))


async def _calls(flow: Script) -> dict[str, Any]:
    return await flow("browser_calls")


def plays(videos: dict[str, Any]) -> bool:
    """Whether each of the videos went on playing."""
    pairs = zip(videos["first"], videos["later"], strict=True)
    return all(later["frames"] > first["frames"] > 0 and later["seconds"] > first["seconds"] for first, later in pairs)


def test_a_call_plays_both_ways_and_the_device_that_did_not_answer_is_told(seen: dict[str, Any]) -> None:
    answered = seen["answered"]
    assert answered["elsewhere"] == "You answered on another device."
    assert all(map(plays, answered["played"]))


def test_a_call_goes_on_at_another_device_and_comes_back(seen: dict[str, Any]) -> None:
    taken = seen["taken"]
    assert taken["moved"] == "The call goes on at another device."
    assert all(map(plays, taken["there"]))
    assert all(map(plays, taken["back"]))


def test_when_both_offer_at_once_the_callee_gives_way_and_everything_goes_on(seen: dict[str, Any]) -> None:
    glare = seen["offersAtOnce"]
    caller, callee = (peer["states"] for peer in glare["peers"])
    assert caller[:4] == ["have-local-offer", "stable"] * 2  # the other's offer at once with the second was ignored
    assert callee[:4] == ["have-remote-offer", "stable"] * 2
    # After a rollback Chromium would decode and show nothing.
    assert all(map(plays, glare["played"]))


def test_another_network_brings_new_paths_on_the_same_connections(seen: dict[str, Any]) -> None:
    restarted = seen["restarted"]
    peers, before = ([peer["count"] for peer in restarted[when]] for when in ("peers", "before"))
    assert peers == before
    assert all(map(plays, restarted["played"]))


def test_on_hold_nothing_flows_either_way_until_it_goes_on_and_who_is_muted_sends_silence(seen: dict[str, Any]) -> None:
    assert all(map(plays, seen["held"]["again"]))
    assert sorted(seen["held"]["sends"]) == [["audio", False], ["video", True]]


def test_a_screen_is_shown_beside_the_camera_and_as_what_it_is(seen: dict[str, Any]) -> None:
    shared = seen["shared"]
    assert shared["beside"] == 2
    assert plays(shared["seen"])
    assert plays(shared["camera"])


def test_who_hangs_up_ends_it_for_both_and_no_connection_stays_open(seen: dict[str, Any]) -> None:
    assert seen["ended"] == {"told": "The call is over.", "open": 0}


def test_a_page_that_is_loaded_anew_finds_its_call_again_as_it_was(seen: dict[str, Any]) -> None:
    assert all(map(plays, seen["returned"]["played"]))
    assert seen["returned"]["muted"] == "true"


def test_a_copy_of_the_tab_takes_the_call_from_nobody(seen: dict[str, Any]) -> None:
    assert all(map(plays, seen["copied"]["played"]))
    assert not seen["copied"]["isShown"]


def test_declining_on_one_device_and_taking_it_back_stop_the_ringing_everywhere(seen: dict[str, Any]) -> None:
    assert seen["declined"] == {"ringsOn": f"call from {seen['ada']}", "told": "The call was declined."}
    assert seen["takenBack"] == "The call was taken back."


def test_two_who_call_each_other_at_once_are_in_one_call(seen: dict[str, Any]) -> None:
    at_once = seen["callsAtOnce"]
    assert all(map(plays, at_once["played"]))
    assert at_once["says"] == [f"in a call with {seen['bob']}", f"in a call with {seen['ada']}"]


def test_a_third_person_comes_in_and_leaves_and_everybody_sees_everybody(seen: dict[str, Any]) -> None:
    assert all(map(plays, seen["three"]["all"]))
    assert all(map(plays, seen["three"]["two"]))


async def test_who_hangs_up_before_the_browser_gives_the_camera_rings_nowhere(flow: Script) -> None:
    report = await flow("browser_camera")

    assert report["sent"] == ["call:hangup"]


async def test_media_goes_on_while_every_node_is_killed_and_the_call_can_be_ended_by_another(
    flow: Script, hub: HubProcess
) -> None:
    report = await flow("browser_node_killed", shared=hub.url, pids=[node.pid for node in hub.nodes])

    assert all(after > before > 0 for kill in report["frames"] for before, after in kill)
    assert all(losses >= 1 for losses in report["losses"])
    assert report["peers"] == [1, 1]
    assert report["ended"] == "The call is over."
    hub.wait_until_ready()
