"""hub.transport.forwarding.private_socket: a socket for this user's nodes alone, of which nothing stays behind."""

import os
import shutil
import socket
import stat
from pathlib import Path

import pytest

from hub.transport.forwarding.private_socket import is_ours, private_socket


def test_nobody_else_can_get_at_it() -> None:
    with private_socket() as made:
        assert made is not None
        _, path = made
        folder = Path(path).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert is_ours(path)
        assert len(os.fsencode(path)) <= 103
    assert not folder.exists()


def test_it_takes_connections_at_once() -> None:
    with private_socket() as made, socket.socket(socket.AF_UNIX) as client:
        assert made is not None
        listening, path = made
        client.connect(path)
        client.sendall(b"hello")
        taken, _ = listening.accept()
        with taken:
            assert taken.recv(5) == b"hello"


def test_what_a_killed_node_has_left_goes_and_what_a_living_one_uses_stays() -> None:
    with private_socket() as made:
        assert made is not None
        _, living = made
        killed = Path(living).parent.with_name("sparkle-node-killed-in-a-test")
        killed.mkdir(mode=0o700)
        try:
            with socket.socket(socket.AF_UNIX) as left:
                left.bind(str(killed / "socket"))
            with private_socket():
                assert not killed.exists()
                assert is_ours(living)
        finally:
            shutil.rmtree(killed, ignore_errors=True)


def test_files_and_links_and_nothing_are_no_socket_of_ours(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    link = tmp_path / "link"
    with private_socket() as made:
        assert made is not None
        link.symlink_to(made[1])
        for path in (plain, link, tmp_path, tmp_path / "nothing", "", "a\0b"):
            assert not is_ours(str(path))


def test_a_socket_of_another_user_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with private_socket() as made:
        assert made is not None
        monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
        assert not is_ours(made[1])


def test_without_a_place_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with private_socket() as made:
        assert made is None
