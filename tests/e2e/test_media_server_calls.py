"""A call of several browsers through the hub's media server."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Script
from tests.e2e.test_calls import plays
from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.servers import Servers

pytestmark = [pytest.mark.timeout(300), pytest.mark.alone]
"""As a limit: several browsers that encode and decode pictures of each other."""
PEOPLE = 8


@pytest.fixture(scope="module")
def hub(npm_clients: None, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """In place of the one without a media server."""
    settings = {"SPARKLE_MEDIA_SERVERS": "1", "SPARKLE_MEDIA_LISTEN": "127.0.0.1"}
    with running_hub_process(servers, tmp_path_factory.mktemp("hub"), nodes=2, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def seen(flow: Script) -> dict[str, Any]:
    """What came of one call of eight people: to make their pages takes most time."""
    return asyncio.run(_crowd(flow))


async def _crowd(flow: Script) -> dict[str, Any]:
    return await flow("browser_media_server", more=[f"guest_{number}" for number in range(PEOPLE - 2)])


def test_eight_people_send_once_each_and_everybody_sees_and_hears_all_others(seen: dict[str, Any]) -> None:
    for streams in seen["all"]:
        assert len(streams["first"]) == 2 * (PEOPLE - 1)
        assert all(streams["later"][track] > amount > 0 for track, amount in streams["first"].items())
    assert all(map(plays, seen["shown"]))
    assert seen["connections"] == [1] * PEOPLE


def test_who_joins_a_call_that_has_the_media_server_already_goes_straight_there(seen: dict[str, Any]) -> None:
    # The third rang before the call was moved there.
    assert seen["made"][1:] == [1] * (PEOPLE - 3)


def test_a_screen_is_shown_through_the_media_server_as_what_it_is(seen: dict[str, Any]) -> None:
    assert plays(seen["screen"])


def test_who_loads_the_page_anew_is_back_on_the_media_server(seen: dict[str, Any]) -> None:
    assert all(map(plays, seen["returned"]))


def test_when_somebody_leaves_the_others_go_on(seen: dict[str, Any]) -> None:
    assert plays(seen["left"])
