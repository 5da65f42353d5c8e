"""Debian's Janus in a process of its own, set up as the hub needs it."""

import contextlib
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.wait import until_sync

TOKEN_SECRET = "a secret of the tests"
PROGRAM = shutil.which("janus")


@contextlib.contextmanager
def running_janus(folder: Path) -> Iterator[str]:
    """The URL of its HTTP interface."""
    if PROGRAM is None:
        lacking = "janus is not installed"
        if os.environ.get("SPARKLE_TEST_ALL"):  # noqa: TID251 about this test run, not about the hub
            pytest.fail(f"SPARKLE_TEST_ALL is set, and {lacking}")
        pytest.skip(lacking)
    plugins = next(Path("/usr/lib").glob("*/janus/plugins"))
    for kind, name in (("plugins", "libjanus_videoroom.so"), ("transports", "libjanus_http.so")):
        (folder / kind).mkdir()
        (folder / kind / name).symlink_to(plugins.parent / kind / name)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    (folder / "janus.jcfg").write_text(
        f'general: {{ plugins_folder = "{folder / "plugins"}"\n transports_folder = "{folder / "transports"}"\n'
        f' events_folder = "{folder}"\n loggers_folder = "{folder}"\n'
        f' token_auth = true\n token_auth_secret = "{TOKEN_SECRET}" }}\n'
        "nat: { ice_lite = true }\n"
    )
    (folder / "janus.transport.http.jcfg").write_text(
        f'general: {{ json = "plain"\n http = true\n port = {port}\n ip = "127.0.0.1"\n https = false }}\n'
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
        yield url
    finally:
        process.terminate()
        process.wait(10)
