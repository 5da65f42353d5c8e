"""Node scripts with clients from npm, against a hub of two nodes."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.support.editing_room import EditingRoom
from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.programs import running
from tests.support.rest import Rest
from tests.support.servers import Servers

JS = Path(__file__).parent / "js"
SCRIPT_S = 240.0
"""A limit and no measure: a browser on a machine with other work takes its time."""

Script = Callable[..., Awaitable[dict[str, Any]]]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def npm_clients() -> None:
    """Skips the module without Node.js or its packages; under SPARKLE_TEST_ALL that is a failure instead."""
    need_npm_packages(JS)


@pytest.fixture(scope="module")
def chromium(npm_clients: None) -> str:
    """Where Debian's Chromium is. Skips the module without it, as `npm_clients`."""
    found = shutil.which("chromium")
    return found or leave_out("chromium is not installed")


def need_npm_packages(folder: Path) -> None:
    """Leave the test out if Node.js, or the packages of `folder`, are not installed."""
    if not shutil.which("node"):
        leave_out("node is not installed")
    if not (folder / "node_modules").is_dir():
        leave_out("the npm packages are not installed (./sparkle test installs them)")


def leave_out(lacking: str) -> NoReturn:
    """Skip, and under SPARKLE_TEST_ALL fail."""
    if os.environ.get("SPARKLE_TEST_ALL"):  # noqa: TID251 about this test run, not about the hub
        pytest.fail(f"SPARKLE_TEST_ALL is set, and {lacking}")
    pytest.skip(lacking)


@pytest.fixture(scope="module")
def hub(npm_clients: None, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running_hub_process(servers, tmp_path_factory.mktemp("hub")) as running:
        yield running
    assert "Traceback" not in running.output, running.output


@pytest.fixture
async def rest(hub: HubProcess) -> AsyncIterator[Rest]:
    async with Rest(hub.url) as client:
        yield client


@pytest.fixture
async def room(rest: Rest, hub: HubProcess) -> AsyncIterator[EditingRoom]:
    """A document that nobody else has seen."""
    owner = await rest.sign_up("owner")
    async with contextlib.AsyncExitStack() as stack:
        yield EditingRoom(await rest.document(owner), owner, rest, hub, stack, JS)


async def run_script(name: str, **given: Any) -> Any:
    """Run a script of the folder js with what is given as its input, and return what it reports."""
    process = await asyncio.create_subprocess_exec(
        "node",
        f"{name}.mjs",
        json.dumps(given),
        cwd=JS,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SCRIPT_S):
            report, complaints = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 0, complaints.decode()
    return json.loads(report)


@pytest.fixture(scope="module")
def script(hub: HubProcess) -> Script:
    """Run a script of the folder js; its input is what is given and the addresses of the nodes."""

    async def run(name: str, **given: Any) -> dict[str, Any]:
        report: dict[str, Any] = await run_script(name, **given, nodes=[node.url for node in hub.nodes])
        return report

    return run


@pytest.fixture(scope="module")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the browser of all these tests is. Each person of each test has a context of their own in it."""
    command: list[str | Path] = ["node", JS / "browser_server.mjs", chromium]
    with running(command, HOME=str(tmp_path_factory.mktemp("home"))) as server:
        yield server.line_with("browser at ", timeout_s=60).removeprefix("browser at ")


@pytest.fixture(scope="module")
def flow(browser: str, script: Script) -> Script:
    """Run a script in the browser, for people with fresh names; its report must have no complaints."""

    async def run(name: str, **given: Any) -> dict[str, Any]:
        number = next(_numbers)
        people = {person: f"{person}_{number}" for person in ("ada", "bob", "eve")}
        report = await script(name, browser=browser, **people, **given)
        assert report["complaints"] == []
        return {**report, **people}

    return run
