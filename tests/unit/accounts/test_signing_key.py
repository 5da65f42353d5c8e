"""The key file: private, whole, and the same for everybody who starts at once."""

import os
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey, RSAKey

from core_api.accounts.signing_key import KeyFileError, load_or_create, new_key

PATH = "keys/token.pem"


def kid_of(path: Path) -> str:
    return load_or_create(path).kid


def private_file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_the_first_start_makes_a_private_file_and_later_ones_read_it(tmp_path: Path) -> None:
    made = load_or_create(tmp_path / PATH)
    assert stat.S_IMODE((tmp_path / PATH).stat().st_mode) == 0o600
    assert load_or_create(tmp_path / PATH) == made or load_or_create(tmp_path / PATH).kid == made.kid
    assert os.listdir(tmp_path / "keys") == ["token.pem"]


def test_processes_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        kids = list(processes.map(kid_of, [tmp_path / PATH] * 8))
    assert len(set(kids)) == 1
    assert os.listdir(tmp_path / "keys") == ["token.pem"]


def test_one_who_loses_the_race_takes_the_winners_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    winner = load_or_create(tmp_path / PATH)
    # The loser looked before the winner's file was there.
    monkeypatch.setattr(Path, "exists", lambda self: False)
    assert load_or_create(tmp_path / PATH).kid == winner.kid
    assert os.listdir(tmp_path / "keys") == ["token.pem"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_refused_naming_the_file(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "token.pem"
    load_or_create(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=r"token\.pem.*chmod 600"):
        load_or_create(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        OKPKey.generate_key("Ed25519").as_pem(private=False),
        OKPKey.generate_key("X25519").as_pem(private=True),
        RSAKey.generate_key(2048).as_pem(private=True),
    ],
    ids=["empty", "garbage", "hollow", "public", "other curve", "other kind"],
)
def test_a_file_without_such_a_key_is_refused_naming_it_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = private_file(tmp_path / "token.pem", content)
    with pytest.raises(KeyFileError, match=r"token\.pem"):
        load_or_create(path)
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_told_with_the_name_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("in the way")
    with pytest.raises(KeyFileError, match=r"token\.pem"):
        load_or_create(tmp_path / PATH)


def test_derived_secrets_differ_by_purpose_and_by_key_and_stay_the_same(tmp_path: Path) -> None:
    key = load_or_create(tmp_path / PATH)
    assert len(key.derive("refresh")) == 32
    assert key.derive("refresh") == load_or_create(tmp_path / PATH).derive("refresh")
    assert len({key.derive("refresh"), key.derive("tickets"), new_key().derive("refresh")}) == 3
