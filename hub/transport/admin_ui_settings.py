"""Settings of the Admin UI, apart from it: reading settings must not take the time to import a server."""

from pathlib import Path
from typing import Literal

import msgspec


class AdminUiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator can set of the Admin UI. It is served in the namespace ``/admin``, by any node for all."""

    user: str = "admin"
    password_file: Path | None = None
    """A file with the password, of 16 characters or more, that only its owner may read. Unset: there is no Admin UI."""
    mode: Literal["production", "development"] = "production"
    """``development`` shows every connection, its rooms, and what people send each other."""
    read_only: bool = True
    """Whether it only shows. Otherwise it may also emit, move connections between rooms and disconnect them."""
