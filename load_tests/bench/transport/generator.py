"""The load generator (``loadgen/``, in C) as a process that is told what to do."""

import itertools
import select
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from load_tests.bench.cache import compiled
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import kept_on

SOURCES = Path(__file__).parent / "loadgen"
ANSWER_S = 300.0
"""Longest wait for an answer: 15 000 connections to a slow server on a busy machine have taken two minutes."""
PER_SOURCE = 500
"""Connections from one address. The hub allows 600 a minute, and this is no place to switch that off."""

_sources = itertools.count(1)


class Answer(msgspec.Struct, frozen=True):
    """What the generator has done since its last answer. See loadgen/main.c."""

    command: str
    seconds: float
    ready: int
    joined: int
    lost: int
    sent: int
    deliveries: int
    echoes: int
    missing: int
    p50_us: int
    p99_us: int


def compile_generator(cache: Path) -> Path:
    """The compiled load generator. Raises CannotMeasure without a C compiler."""
    return compiled("loadgen", sorted(SOURCES.iterdir()), cache)


class Generator:
    """A running load generator with all its connections. Use it as a context manager."""

    def __init__(
        self,
        program: Path,
        *,
        ports: Sequence[int],
        connections: int,
        room_size: int,
        options: Sequence[str],
        cores: Iterable[int],
    ) -> None:
        """``ports``: of the nodes, over which the members of each room are spread. ``options``: more of its own."""
        with kept_on(cores):
            self._process = subprocess.Popen(
                [
                    *(program, "--connections", str(connections)),
                    *(word for port in ports for word in ("--port", str(port))),
                    *("--room-size", str(room_size), *options),
                    *("--per-source", str(PER_SOURCE), "--first-source", _fresh_addresses(connections)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                bufsize=1,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        """The generator's process."""
        return self._process.pid

    def command(self, text: str) -> Answer:
        """Give a command and wait until it is done. Raises CannotMeasure if a connection was lost."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(text + "\n")
        except BrokenPipeError:
            raise CannotMeasure(f"the load generator has ended: {self._complaints()}") from None
        if not select.select([self._process.stdout], [], [], ANSWER_S)[0]:
            self._process.kill()
            raise CannotMeasure(f"the load generator did not {text!r} in {ANSWER_S:.0f} s: {self._complaints()}")
        line = self._process.stdout.readline()
        if not line:
            raise CannotMeasure(f"the load generator has ended: {self._complaints()}")
        answer = msgspec.json.decode(line, type=Answer)
        if answer.lost:
            self._process.kill()
            raise CannotMeasure(f"the server lost {answer.lost} connections: {self._complaints()}")
        return answer

    def _complaints(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read().strip() or "it says nothing"


def _fresh_addresses(connections: int) -> str:
    """The first of a block of loopback addresses that nobody has connected from in this bench."""
    needed = -(-connections // PER_SOURCE)
    last = 0
    for _ in range(needed):
        last = next(_sources)
    number = last - needed + 1
    return f"127.{1 + number // 65_536}.{number // 256 % 256}.{number % 256}"
