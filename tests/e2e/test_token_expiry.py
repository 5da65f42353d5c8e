"""Tokens of six seconds, under the unmodified npm client and under the page."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Script
from tests.support.hub import PASSWORD
from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.rest import Rest
from tests.support.servers import Servers

LIFE_S = 6


@pytest.fixture(scope="module")
def hub(npm_clients: None, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    settings = {"SPARKLE_ACCOUNTS_ACCESS_TOKEN_S": str(LIFE_S)}
    with running_hub_process(servers, tmp_path_factory.mktemp("hub"), nodes=1, **settings) as running:
        yield running
    assert "Traceback" not in running.output, running.output


async def signed_in(rest: Rest, name: str) -> dict[str, str]:
    """Somebody new, with a refresh token."""
    person = await rest.sign_up(name)
    answer = (await rest.post("/auth/signin", json={"username": person.name, "password": PASSWORD})).expect(200)
    return {"id": person.id, "token": answer["accessToken"], "refreshToken": answer["refreshToken"]}


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_client_that_ignores_it_comes_back_by_itself_and_one_that_refreshes_stays(
    rest: Rest, script: Script, transport: str
) -> None:
    people = {name: await signed_in(rest, name) for name in ("ada", "bob")}
    report = await script("expiry", **people, transport=transport)
    assert report["told"] == {"expiresAt": report["before"]["expiresAt"]}
    assert report["reason"] in ("transport close", "transport error")
    assert report["after"] != report["before"]["connectionId"]
    assert report["lost"] == []


async def test_a_page_outlives_its_tokens_on_one_connection(chromium: str, script: Script) -> None:
    report = await script("browser_expiry", chromium=chromium, ada="ada_stays")
    assert report == {"sockets": 1, "complaints": []}
