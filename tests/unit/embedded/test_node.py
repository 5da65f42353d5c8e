"""How the supervisor calls a node, and asks whether it is ready."""

import asyncio
import sys
from pathlib import Path

import pytest

from hub.supervisor.node import NodeSpec, answers_ready, serve_command


def test_a_node_is_told_its_name_the_shared_address_and_all_own_ports() -> None:
    spec = NodeSpec("n2", "127.0.0.1", 8080, 5002, (5001, 5002), Path("/data"), start_wait_s=60.0)
    assert serve_command(spec) == [
        *(sys.executable, "-m", "hub.cli", "serve", "--host", "127.0.0.1", "--port", "8080"),
        *("--own-port", "5002", "--peer-ports", "5001,5002", "--reuse-port", "--data", "/data", "--node-name", "n2"),
        *("--start-wait-s", "60.0"),
    ]


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"HTTP/1.1 404 Not Found 200\r\n\r\n", False),
        (b"", False),
        (b"nonsense\r\n", False),
    ],
)
async def test_only_a_200_means_ready(answer: bytes, ready: bool) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        assert request.startswith(b"GET /health/ready HTTP/1.1\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await answers_ready(port) is ready


async def test_nobody_there_means_not_ready() -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    assert not await answers_ready(port)
