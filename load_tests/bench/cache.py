"""Programs that a bench needs and no package brings: compiled, or installed by npm, on first use and kept."""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from hub.config import environment
from load_tests.bench.errors import CannotMeasure

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=gnu11", "-O2")
OLDEST_NODE = 18


def cache_folder() -> Path:
    """``sparkle-hub/bench`` in the user's folder for caches (XDG Base Directory Specification)."""
    environ = environment()
    base = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/var/tmp"), ".cache")
    return Path(base) / "sparkle-hub" / "bench"


def find_compiler() -> str:
    """The C compiler's path. Raises CannotMeasure without one."""
    for name in COMPILERS:
        if found := shutil.which(name):
            return found
    raise CannotMeasure("the load generator is a C program, and there is no C compiler (cc). Debian: apt install gcc")


def compiled(name: str, sources: Sequence[Path], cache: Path) -> Path:
    """The program made of these sources, compiled if the cache has none of exactly them.

    Raises CannotMeasure without a compiler, or with what the compiler said.
    """
    cache.mkdir(parents=True, exist_ok=True)
    program = cache / f"{name}-{_digest(sources)}"
    if program.exists():
        return program
    compiler = find_compiler()
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        draft = Path(folder) / name
        code = [source for source in sources if source.suffix == ".c"]
        result = subprocess.run([compiler, *FLAGS, "-o", draft, *code], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise CannotMeasure(f"{compiler} cannot compile {name}:\n{result.stderr.strip()}")
        draft.rename(program)
    return program


def node_packages(source: Path, cache: Path) -> Path:
    """A folder with a copy of ``source`` (with its package-lock.json) and the packages that the lock names.

    Raises CannotMeasure without Node.js and npm, or with what npm said.
    """
    _need_node()
    files = sorted(path for path in source.iterdir() if path.is_file())
    folder = cache / f"{source.name}-{_digest(files)}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=cache))
    try:
        for file in files:
            shutil.copy(file, draft)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        result = subprocess.run(command, cwd=draft, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise CannotMeasure(f"npm cannot install the peers:\n{result.stderr.strip()}")
        if not folder.exists():  # another bench may have been first
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _need_node() -> None:
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise CannotMeasure(f"the peers in JavaScript need Node.js {OLDEST_NODE} or later with npm (or see --peers)")


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
