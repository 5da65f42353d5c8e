"""Debian's Janus in a process of its own, set up as the hub needs it."""

import contextlib
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.wait import until_sync

TOKEN_SECRET = "a secret of the tests"
PROGRAM = shutil.which("janus")


@dataclass(frozen=True)
class JanusProcess:
    """A running one: its HTTP interface, which the hub uses, and its WebSocket, which the page uses."""

    url: str
    websocket_url: str


@contextlib.contextmanager
def running_janus(folder: Path) -> Iterator[JanusProcess]:
    """Start it on ports of its own. Skips without the program; a failure in CI."""
    if PROGRAM is None:
        lacking = "janus is not installed"
        if os.environ.get("SPARKLE_TEST_ALL"):  # noqa: TID251 about this test run, not about the hub
            pytest.fail(f"SPARKLE_TEST_ALL is set, and {lacking}")
        pytest.skip(lacking)
    plugins = next(Path("/usr/lib").glob("*/janus/plugins"))
    for name in ("plugins/libjanus_videoroom.so", "transports/libjanus_http.so", "transports/libjanus_websockets.so"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(plugins.parent / name)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        port, websocket_port = (held.getsockname()[1] for held in (one, other))
    (folder / "janus.jcfg").write_text(
        f'general: {{ plugins_folder = "{folder / "plugins"}"\n transports_folder = "{folder / "transports"}"\n'
        f' events_folder = "{folder}"\n loggers_folder = "{folder}"\n'
        f' token_auth = true\n token_auth_secret = "{TOKEN_SECRET}" }}\n'
        "nat: { ice_lite = true }\n"
    )
    (folder / "janus.transport.http.jcfg").write_text(
        f'general: {{ json = "plain"\n http = true\n port = {port}\n ip = "127.0.0.1"\n https = false }}\n'
    )
    (folder / "janus.transport.websockets.jcfg").write_text(
        f'general: {{ json = "plain"\n ws = true\n ws_port = {websocket_port}\n ws_ip = "127.0.0.1" }}\n'
    )
    (folder / "janus.plugin.videoroom.jcfg").write_text("general: { string_ids = true }\n")
    url = f"http://127.0.0.1:{port}/janus"

    def answers() -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/info", timeout=1) as response:
            return bool(response.status == 200)
        return False

    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "-F", str(folder)], stdout=log, stderr=log)
    try:
        until_sync(answers)
        yield JanusProcess(url, f"ws://127.0.0.1:{websocket_port}")
    finally:
        process.terminate()
        process.wait(10)
