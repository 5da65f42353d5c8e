"""The server under test, at two paces, and clients of it that speak raw HTTP and raw WebSocket.

`pytest tests/conformance --server-command "COMMAND"` tests another server, which has to take the flags of
load_tests.bare_server; `-m "not stricter_than_node"` leaves out what the reference implementation does not do.
"""

import contextlib
import shlex
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.support.bare_server import (
    BARE_SERVER,
    NORMAL_PING,
    RELAYED_SERVER,
    SHORT_PING,
    BareServer,
    Pace,
    running_bare_server,
)
from tests.support.raw_client import Client

Start = Callable[[Pace], BareServer]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--server-command", default=None, help="command of the server that tests/conformance looks at")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "stricter_than_node: the reference implementation does not do this")


@pytest.fixture(scope="session")
def start(pytestconfig: pytest.Config) -> Iterator[Start]:
    """Starts the server of a pace when it is first asked for; ends them all with the session."""
    command = pytestconfig.getoption("--server-command", default=None)
    servers: dict[Pace, BareServer] = {}
    with contextlib.ExitStack() as stack:

        def start(pace: Pace) -> BareServer:
            if pace not in servers:
                ours = RELAYED_SERVER if pace.relayed else BARE_SERVER
                words = shlex.split(command) if command else ours
                servers[pace] = stack.enter_context(running_bare_server(pace, words))
            return servers[pace]

        yield start
        for server in servers.values():
            output = server.program.output
            # aiohttp logs one for each request that is no HTTP
            assert output.count("Traceback") == output.count("Error handling request from"), output


@pytest.fixture(params=[SHORT_PING, NORMAL_PING], ids=str)
def server(start: Start, request: pytest.FixtureRequest) -> BareServer:
    """The running server, at each pace in turn; a module may choose one by parametrising this."""
    pace: Pace = request.param
    if pace.relayed and request.config.getoption("--server-command", default=None):
        pytest.skip("the nodes of another server are its own affair")
    return start(pace)


@pytest.fixture
async def client(server: BareServer) -> AsyncIterator[Client]:
    """A client of the server."""
    client = Client(server.port)
    yield client
    await client.close()


@pytest.fixture(params=["polling", "websocket"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each transport in turn."""
    name: str = request.param
    return name
