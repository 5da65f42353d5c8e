"""The data folder: one owner, private short-lived sockets, errors that a person understands."""

import os
import stat
from pathlib import Path

import pytest

from hub.embedded.data_folder import DataFolder
from hub.embedded.errors import EmbeddedError


def test_a_second_owner_is_refused_with_the_folder_and_the_pid_of_the_first(tmp_path: Path) -> None:
    with DataFolder(tmp_path), pytest.raises(EmbeddedError) as caught:
        DataFolder(tmp_path).__enter__()
    assert f"the data folder {tmp_path} is in use by another Sparkle Hub (pid {os.getpid()})" in str(caught.value)


def test_the_refused_one_does_not_disturb_the_owner(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as owner:
        with pytest.raises(EmbeddedError):
            DataFolder(tmp_path).__enter__()
        assert owner.sockets.is_dir()
        assert (tmp_path / "sockets").resolve() == owner.sockets


def test_it_can_be_had_again_after_it_was_left(tmp_path: Path) -> None:
    for _ in range(2):
        with DataFolder(tmp_path):
            pass


def test_the_sockets_of_a_deep_folder_have_a_short_private_path(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    with DataFolder(deep) as folder:
        sockets = folder.sockets
        assert len(os.fsencode(folder.sockets / ".s.PGSQL.5432")) <= 107
        assert stat.S_IMODE(folder.sockets.stat().st_mode) == 0o700
    assert not sockets.exists()


def test_sockets_of_a_killed_owner_are_removed_by_the_next_one(tmp_path: Path) -> None:
    killed = DataFolder(tmp_path).__enter__()
    stale = killed.sockets
    killed._owner.close()  # type: ignore[union-attr] # what the kernel does when a process is killed
    with DataFolder(tmp_path) as folder:
        assert not stale.exists()
        assert folder.sockets != stale


def test_a_link_that_is_not_ours_is_not_followed_when_sockets_are_removed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sockets").symlink_to(precious)
    with DataFolder(tmp_path / "data"):
        assert precious.is_dir()


def test_a_path_that_is_a_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(EmbeddedError, match=r"the data folder .*/data cannot be used: File exists"):
        DataFolder(tmp_path / "data").__enter__()


def test_logs_are_private_appended_to_and_put_aside_when_large(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as folder:
        for _ in range(2):
            with folder.open_log("postgres") as log:
                log.write(b"line\n")
        path = folder.log_path("postgres")
        assert path.read_bytes() == b"line\nline\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        os.truncate(path, 10_000_001)
        with folder.open_log("postgres"):
            pass
        assert path.stat().st_size == 0
        assert (tmp_path / "postgres.log.1").stat().st_size == 10_000_001
