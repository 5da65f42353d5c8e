"""What is left when the launcher is killed: nothing that the next start would stumble over."""

import json
import os
import pwd
import signal
import sys
from pathlib import Path

import pytest

from tests.support.programs import Program, is_alive, is_root, python_for, running
from tests.support.wait import until_sync

LAUNCHER = Path(__file__).parent / "launch_stack.py"


def pids_of(program: Program) -> list[int]:
    return list(json.loads(program.line_with("pids"))["pids"].values())


def ordinary_user() -> tuple[int, str]:
    """The uid of `nobody` and a Python that it can run."""
    uid = pwd.getpwnam("nobody").pw_uid
    python = python_for(uid)
    if python is None:
        pytest.skip("no Python that another user can run")
    return uid, python


@pytest.mark.parametrize("mode", [0o755, 0o700], ids=["open folder", "private folder"])
def test_servers_end_with_a_killed_launcher_and_the_next_start_works_at_once(data: Path, mode: int) -> None:
    data.parent.chmod(mode)  # as root: nobody, or a user namespace
    with running([sys.executable, LAUNCHER, data]) as first:
        pids = pids_of(first)
        sockets = (data / "sockets").resolve()
        first.send(signal.SIGKILL)
        first.end()
        with running([sys.executable, LAUNCHER, data]) as second:  # while the first one's servers shut down
            new = pids_of(second)
            assert not set(new) & set(pids)
            assert not sockets.exists()
            second.send(signal.SIGTERM)
            assert second.end() == 0, second.output
    until_sync(lambda: not any(is_alive(pid) for pid in [*pids, *new]))


def test_a_launcher_and_its_servers_killed_together_leave_a_folder_that_starts(data: Path) -> None:
    with running([sys.executable, LAUNCHER, data]) as first:
        pids = pids_of(first)
        for pid in (*pids, first.pid):
            os.kill(pid, signal.SIGKILL)
        first.end()
    with running([sys.executable, LAUNCHER, data]) as second:
        assert pids_of(second)
        second.send(signal.SIGTERM)
        assert second.end() == 0, second.output


def test_a_second_start_on_the_same_folder_is_refused_by_name_and_pid(data: Path) -> None:
    with running([sys.executable, LAUNCHER, data]) as first:
        first.line_with("pids")
        with running([sys.executable, LAUNCHER, data]) as second:
            assert second.end() == 1
        assert f"the data folder {data} is in use by another Sparkle Hub (pid {first.pid})" in second.output
        assert first.popen.poll() is None


@pytest.mark.skipif(not is_root(), reason="only root can become another user")
def test_an_ordinary_user_can_start_it(open_folder: Path) -> None:
    uid, python = ordinary_user()
    home = open_folder / "home"
    home.mkdir()
    home.chmod(0o700)
    os.chown(home, uid, uid)
    with running([python, LAUNCHER, home / "data"], uid=uid) as program:
        started = json.loads(program.line_with("pids"))
        assert started["uid"] == uid
        assert started["kinds"] == ["self", "self"]
        program.send(signal.SIGTERM)
        assert program.end() == 0, program.output


@pytest.mark.skipif(not is_root(), reason="only root can become another user")
def test_a_folder_of_another_user_is_refused_with_that_reason(open_folder: Path) -> None:
    uid, python = ordinary_user()
    with running([python, LAUNCHER, open_folder], uid=uid) as program:
        assert program.end() == 1
    assert f"the data folder {open_folder} cannot be used: Permission denied" in program.output
    assert f"({open_folder} belongs to user root; choose another folder with --data)" in program.output
