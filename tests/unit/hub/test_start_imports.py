"""What a start does not import: packages that cost a part of a second each, and that it has no use for."""

import subprocess
import sys

ALL = ("aiohttp", "asyncpg", "redis", "socketio", "structlog", "uvloop")
"""What every node stands on."""
OPTIONAL = ("requests", "rich", "valkey", "websocket")
"""What packages of a node would import if they could."""
LATER = ("aiortc", "av", "eth", "eth_abi", "eth_account", "graphql", "markdown_it", "numpy", "strawberry", "web3")
"""What a node, or a process beside it, imports when somebody asks for what it does."""


def imported(program: str, *names: str) -> list[str]:
    """Which of the packages a program has imported at its end."""
    program += f"\nimport sys\nprint(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_commands_and_the_supervisor_import_nothing_that_a_node_stands_on() -> None:
    assert imported("import hub.cli, hub.supervisor.run", *ALL, *OPTIONAL, *LATER) == []


def test_a_node_imports_what_it_needs_at_once_and_no_more() -> None:
    program = "import hub.cli\nfrom hub.kernel.imports import importing\nwith importing():\n    import hub.node"
    assert imported(program, *ALL, *OPTIONAL, *LATER) == [*ALL]
