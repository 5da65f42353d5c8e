"""How long two people wait for each other's picture: the page in Chromium, on two nodes, with a fake camera."""

import asyncio
import json
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from load_tests.bench.cache import node_packages
from load_tests.bench.cluster.backends import running_backends
from load_tests.bench.cluster.nodes import Nodes
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.rows import Row, Target

SOURCE = Path(__file__).parents[2] / "peers" / "calls"
CALLS = 20
CALL_S = 5.0
"""A limit: on a quiet machine a call takes one second."""
BROWSER_S = 60.0
"""As well: Chromium begins in three, and the two come in."""
FIRST_FRAME = Target(500, at_most=True)
PERCENT = 95


@dataclass(frozen=True, slots=True)
class FirstFrames:
    """Milliseconds from the press on "Accept" to the first frame that is shown, a call each."""

    callee: list[float]
    caller: list[float]


async def measure_first_frames(folder: Path, cache: Path, calls: int = CALLS) -> list[Row]:
    """Make the calls, one after the other, on nodes and servers of their own.

    Raises CannotMeasure without Chromium or Node.js.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise CannotMeasure("chromium is not installed (on Debian: apt install chromium)")
    packages = await asyncio.to_thread(node_packages, SOURCE, cache)
    async with running_backends(folder, people=1, rooms=1) as backends:
        nodes = Nodes(2, backends.environment, folder)
        try:
            for node in nodes.all:
                await node.start()
            urls = [f"http://127.0.0.1:{node.port}" for node in nodes.all]
            return rows(await _run(packages, {"executable": chromium, "urls": urls, "calls": calls}))
        finally:
            for node in nodes.all:
                await node.kill()


def rows(frames: FirstFrames) -> list[Row]:
    """As a bench reports them; whoever waits longer counts."""
    later = [max(pair) for pair in zip(frames.callee, frames.caller, strict=True)]
    return [
        Row("accept → first frame for both, Chromium, p95", "ms", percentile(later, PERCENT), FIRST_FRAME),
        Row("… the callee's, median", "ms", statistics.median(frames.callee)),
        Row("… the caller's, median", "ms", statistics.median(frames.caller)),
    ]


def percentile(values: Sequence[float], percent: int) -> float:
    """The least value that is not below so many per cent of them."""
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]


async def _run(packages: Path, given: dict[str, object]) -> FirstFrames:
    calls = int(str(given["calls"]))
    with tempfile.TemporaryDirectory() as home:
        process = await asyncio.create_subprocess_exec(
            *(shutil.which("node") or "node", packages / "first_frame.mjs", json.dumps(given)),
            env={"PATH": "/usr/bin:/bin", "HOME": home},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(BROWSER_S + CALL_S * calls):
                out, complaints = await process.communicate()
        except TimeoutError:
            raise CannotMeasure("the pages did not get through their calls in time") from None
        finally:
            if process.returncode is None:
                process.kill()  # its browser ends with the pipe between them
    if process.returncode != 0:
        raise CannotMeasure(f"the pages could not call each other:\n{complaints.decode()[-2000:]}")
    pairs = [json.loads(line) for line in out.decode().splitlines()]
    return FirstFrames([pair["callee"] for pair in pairs], [pair["caller"] for pair in pairs])
