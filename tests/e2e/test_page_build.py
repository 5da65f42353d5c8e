"""The page in hub/static is what its sources in web/ give: built anew, it is the same byte for byte."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import need_npm_packages

ROOT = Path(__file__).parents[2]
WEB, STATIC = ROOT / "web", ROOT / "hub" / "static"
BUILD_S = 100
"""Nine seconds of one core; a machine with other work takes a multiple."""


@pytest.fixture(scope="module", autouse=True)
def npm_packages() -> None:
    need_npm_packages(WEB)


def node(script: str, *arguments: str | Path) -> None:
    command = ["node", f"node_modules/{script}", *map(str, arguments)]
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, timeout=BUILD_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_sources_are_well_typed() -> None:
    node("typescript/bin/tsc")


def test_committed_files_are_those_of_a_fresh_build(tmp_path: Path) -> None:
    node("vite/bin/vite.js", "build", "--emptyOutDir", "--outDir", tmp_path)
    built, committed = files_of(tmp_path), files_of(STATIC)
    assert built.keys() == committed.keys()
    assert [name for name, body in built.items() if body != committed[name]] == [], "run: npm run build, in web/"


def test_notices_of_what_was_built_in_are_there() -> None:
    notices = (STATIC / "licences.txt").read_text()
    for package in ("yjs", "lib0", "socket.io-client", "@codemirror/view", "y-codemirror.next"):
        assert f"\n{package} " in f"\n{notices}"
