"""hub.transport.admin_ui: who may sign in at all, and which passwords are taken."""

from pathlib import Path
from typing import Any

import pytest

from hub.transport.admin_ui import PasswordFileError, may_sign_in, password_in, serve_admin_ui
from hub.transport.admin_ui_settings import AdminUiSettings
from hub.transport.engineio.handshake import RequestHead
from hub.transport.engineio.request import Request

NOWHERE: Any = None
"""In place of the server and its sockets, which nobody may ask for anything."""
PASSWORD = "correct horse battery staple"


def request(address: str, *headers: bytes) -> Request:
    return Request(RequestHead(b"\r\n".join([b"GET /socket.io/ HTTP/1.1", *headers])), (address, 4711))


def test_this_machine_and_pages_may_sign_in_and_nobody_else() -> None:
    page = b"Origin: https://admin.socket.io"
    assert may_sign_in(request("127.0.0.1"))
    assert may_sign_in(request("::1"))
    assert may_sign_in(request("203.0.113.7", page)), "its origin was checked at the door"
    assert not may_sign_in(request("203.0.113.7"))
    assert not may_sign_in(request("203.0.113.7", b"Origin:"))
    assert not may_sign_in(request(""))


def test_without_a_password_file_there_is_no_admin_ui() -> None:
    serve_admin_ui(NOWHERE, NOWHERE, NOWHERE, AdminUiSettings(), NOWHERE, NOWHERE)


def written(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_password_is_a_line_of_a_file_that_only_its_owner_may_read(tmp_path: Path) -> None:
    assert password_in(written(tmp_path / "password", f"{PASSWORD}\n".encode())) == PASSWORD


@pytest.mark.parametrize(
    ("content", "mode", "complaint"),
    [
        (PASSWORD.encode(), 0o640, "others may read"),
        (PASSWORD.encode(), 0o604, "others may read"),
        (b"too short\n" + b" " * 100, 0o600, "shorter than 16"),
        (b"", 0o600, "shorter than 16"),
        (b"\xff" * 20, 0o600, "no text"),
    ],
)
def test_a_password_that_is_not_safe_is_refused(tmp_path: Path, content: bytes, mode: int, complaint: str) -> None:
    path = written(tmp_path / "password", content, mode)
    with pytest.raises(PasswordFileError, match=complaint):
        password_in(path)


def test_a_password_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PasswordFileError, match="missing cannot be read: No such file"):
        password_in(tmp_path / "missing")
