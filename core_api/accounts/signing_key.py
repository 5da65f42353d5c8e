"""The hub's secret key: made at the first start, one and the same for all nodes of a data folder."""

import base64
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

CURVE: Final = "Ed25519"


class KeyFileError(Exception):
    """The key file cannot be used; the message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key pair, and the key id (RFC 7638 thumbprint) that tokens name it by."""

    pair: OKPKey
    kid: str

    def derive(self, purpose: str) -> bytes:
        """A secret of 32 bytes for another purpose. One says nothing of another, nor of the key pair."""
        seed = str(self.pair.as_dict(private=True)["d"])
        return hmac.digest(base64.urlsafe_b64decode(seed + "="), f"sparkle-hub {purpose}".encode(), "sha256")


def new_key() -> SigningKey:
    """A fresh key that is kept nowhere."""
    return _named(OKPKey.generate_key(CURVE))


def load_or_create(path: Path) -> SigningKey:
    """The key in the PEM file ``path``, which is made if it is missing.

    Any number of processes may do this at once: all get the same key, and none ever reads half of one. Raises
    KeyFileError if the file is readable by others, is not an Ed25519 private key, or cannot be read or made.
    """
    try:
        if not path.exists():
            _create(path)
        return _load(path)
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be used: {error.strerror or error}") from error


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    # Private from its first moment: a chmod afterwards would leave a gap.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(OKPKey.generate_key(CURVE).as_pem(private=True))
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link appears whole or not at all and, unlike a rename, never replaces what another node linked first.
            os.link(draft, path)
        except FileExistsError:
            return
        _sync_folder(path.parent)
    finally:
        draft.unlink()


def _sync_folder(folder: Path) -> None:
    # A key lost by a power cut would end every session.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _load(path: Path) -> SigningKey:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode & 0o777
        pem = file.read(10_000)
    if mode & 0o077:
        raise KeyFileError(f"others may read the key file {path} (mode {mode:o}): chmod 600 it, or replace the key")
    try:
        pair = OKPKey.import_key(pem)
        curve, private = pair.curve_name, pair.is_private
    except (ValueError, TypeError, JoseError) as error:
        raise KeyFileError(f"the key file {path} is no PEM private key: {error}") from error
    if curve != CURVE or not private:
        raise KeyFileError(f"the key file {path} holds no {CURVE} private key")
    return _named(pair)


def _named(pair: OKPKey) -> SigningKey:
    return SigningKey(pair, pair.thumbprint())
