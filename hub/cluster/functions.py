"""The functions of Redis that the cluster needs, under names that no other version of them has."""

import hashlib
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent
TEXT: Final = "".join((_FOLDER / name).read_text() for name in ("functions.lua", "records.lua"))
LIBRARY: Final = "sparkle_hub_1"
PREFIX: Final = "sparkle1_"
"""What library and functions are called in the files."""


def of_version(text: str) -> tuple[str, str]:
    """The library to load, and what the names of its functions begin with there.

    Redis has one library of a name for all clients, and loading it anew replaces it under those who use it. Nodes of
    two versions are up together during an upgrade, so the names carry a digest of the text: it cannot be forgotten.
    """
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    prefix = f"{PREFIX}{digest}_"
    return text.replace(LIBRARY, f"{LIBRARY}_{digest}").replace(PREFIX, prefix), prefix


SOURCE, _prefix = of_version(TEXT)


def named(name: str) -> str:
    """What a function of the file is called in Redis."""
    return _prefix + name.removeprefix(PREFIX)
