"""Who the servers run as."""

import os
import pwd
from pathlib import Path

import pytest

from hub.embedded.errors import EmbeddedError
from hub.embedded.identity import Identity, choose_identity
from hub.embedded.wheels import find_program

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a choice")


def test_an_ordinary_user_stays_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert choose_identity(Path("/")).kind == "self"


@as_root
def test_root_becomes_nobody_where_everybody_may_pass_and_enters_a_namespace_elsewhere(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "program").touch(mode=0o755)
    assert choose_identity(Path("/usr/bin")).kind == "other user"
    assert choose_identity(Path("/usr/bin"), private / "program").kind == "namespace"


@as_root
def test_owning_a_folder_takes_all_in_it_and_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch()
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").touch()
    (folder / "link").symlink_to(outside)
    nobody = pwd.getpwnam("nobody")
    Identity(nobody.pw_uid, nobody.pw_gid, "other user").own(folder)
    for path in (folder, folder / "inner", folder / "inner" / "file"):
        assert path.stat().st_uid == nobody.pw_uid
    assert outside.stat().st_uid == 0
    Identity(0, 0, "namespace").own(folder)
    assert (folder / "inner" / "file").stat().st_uid == 0


def test_a_missing_wheel_says_what_to_set_instead() -> None:
    with pytest.raises(EmbeddedError, match="no_such_package has no server program for this machine; set REDIS_URL"):
        find_program("no_such_package", "*", instead="REDIS_URL")
