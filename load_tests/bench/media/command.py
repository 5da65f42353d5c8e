"""``sparkle-hub bench media``: how many streams a core forwards, beside Janus."""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import aioice.ice
import uvloop

from hub.version import __version__
from load_tests.bench.ending import exit_code_of
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.machine import machine
from load_tests.bench.media.callers import Receiver
from load_tests.bench.media.servers import Server, running_janus, running_ours
from load_tests.bench.media.sources import Encoded, Kind, picture, sound
from load_tests.bench.options import at_least, some_of
from load_tests.bench.processes import allow_open_files, cores, cpu_of, kept_on
from load_tests.bench.report import table, write_json
from load_tests.bench.rows import Row, Target, median_ratio

LOST_OF_A_THOUSAND = 10
"""Packets that each receiver of a picture loses on purpose: 1 %, as the budget allows."""
SETTLE_S = 2.0
"""After the last has come: key frames for newcomers, first reports."""
STREAMS = {"video": 500, "audio": 1000}
"""Of a core, at least."""
KINDS: tuple[Kind, ...] = ("video", "audio")


@dataclass(frozen=True, slots=True)
class Load:
    """What a server was seen to do."""

    streams_per_core: float
    """At the pace that they should have had: when the machine is busy, the publisher falls behind."""
    packets_per_s: float
    cpu: float
    """Of one core."""
    us_per_packet: float
    least: float
    """Packets that the worst receiver got, of those that the middle one got."""
    repaired: float
    """Of the packets that were lost on purpose."""
    join_ms: float


def main(argv: Sequence[str] | None = None) -> int:
    """Run and report. Exit code: 0; 1 if a row fails the gate and ``--gate`` is given; 2 if it cannot be measured."""
    arguments = parser().parse_args(argv)
    return exit_code_of(lambda: uvloop.run(_bench(arguments)))


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="sparkle-hub bench media",
        description="One publisher and many receivers, each with a connection of its own that reports, loses a packet "
        "in a hundred and asks for it again. The server has a core to itself; streams per core are as "
        "many as the packets that it sends in a second of its CPU time would be.",
    )
    add = parser.add_argument
    add("--kinds", type=some_of(KINDS), default=KINDS, metavar="A,B", help="video, audio (default: both)")
    add("--video", type=at_least(1), default=60, metavar="N", help="receivers of a picture (default: %(default)s)")
    add("--audio", type=at_least(1), default=100, metavar="N", help="receivers of sound (default: %(default)s)")
    add("--seconds", type=at_least(1), default=8, help="of each measurement (default: %(default)s)")
    add("--runs", type=at_least(1), default=3, help="of which the medians are shown (default: %(default)s)")
    add("--short", action="store_true", help="one run of four seconds")
    add("--no-janus", action="store_true", help="measure the hub's media server alone")
    add("--json", type=Path, metavar="FILE", help="write the rows there too")
    add("--gate", action="store_true", help="exit with 1 if a row is below 75 %% of its target")
    return parser


async def _bench(arguments: argparse.Namespace) -> int:
    # One address for all, and not the loopback, which Janus does not use. Packets to it do not leave the machine.
    address = aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=False)[:1] or ["127.0.0.1"]
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: address
    allow_open_files(4000)
    runs, seconds = (1, 4) if arguments.short else (arguments.runs, arguments.seconds)
    seen: dict[tuple[str, Kind], dict[int, Load]] = {}
    for run in range(runs):
        for kind in arguments.kinds:
            for name in ["hub", *([] if arguments.no_janus else ["janus"])]:
                count = arguments.video if kind == "video" else arguments.audio
                load = await _measured(name, kind, count, seconds)
                seen.setdefault((name, kind), {})[run] = load
                print(f"run {run + 1}: {name}, {count} of {kind}: {_words(load)}", file=sys.stderr, flush=True)
    rows = [row for kind in arguments.kinds for row in _rows(kind, seen)]
    print(table(rows))
    if arguments.json:
        packages = ("aiortc", "pylibsrtp", "uvloop")
        versions = {"sparkle-hub": __version__, **{name: version(name) for name in packages}}
        write_json(arguments.json, machine(), versions, rows)
    return 1 if arguments.gate and not all(row.passes_gate for row in rows) else 0


async def _measured(name: str, kind: Kind, count: int, seconds: int) -> Load:
    kept = cores()
    with kept_on(kept.others), tempfile.TemporaryDirectory(prefix="sparkle-bench-") as folder:
        starts = running_ours if name == "hub" else running_janus
        running: AbstractAsyncContextManager[Server] = starts(Path(folder), kept.server)
        async with running as server:
            return await _load(server, kind, count, seconds)


async def _load(server: Server, kind: Kind, count: int, seconds: int) -> Load:
    track: Encoded = picture() if kind == "video" else sound()
    loop = asyncio.get_running_loop()
    publisher = await server.publish(track)
    lost = LOST_OF_A_THOUSAND if kind == "video" else 0
    receivers, joins = [Receiver(kind, lost, seed) for seed in range(count)], []
    try:
        for number, receiver in enumerate(receivers):
            began = loop.time()
            await server.receive(receiver, number)
            joins.append(loop.time() - began)
        await asyncio.sleep(SETTLE_S)
        before, cpu, began = [one.counts.packets for one in receivers], cpu_of(server.pid).run_ns, loop.time()
        lost_before = sum(one.counts.lost for one in receivers)
        repaired_before = sum(one.counts.repaired for one in receivers)
        await asyncio.sleep(seconds)
        passed, used = loop.time() - began, (cpu_of(server.pid).run_ns - cpu) / 1e9
        came = sorted(one.counts.packets - then for one, then in zip(receivers, before, strict=True))
        dropped = sum(one.counts.lost for one in receivers) - lost_before
        repaired = sum(one.counts.repaired for one in receivers) - repaired_before
    finally:
        await asyncio.gather(publisher.close(), *(one.close() for one in receivers))
    packets = sum(came) + dropped + repaired
    if not came[0]:
        raise CannotMeasure("a receiver gets nothing")
    return Load(
        streams_per_core=packets / used / track.packets_per_s,
        packets_per_s=packets / passed,
        cpu=used / passed,
        us_per_packet=used / packets * 1e6,
        least=came[0] / statistics.median(came),
        repaired=repaired / dropped if dropped else 1.0,
        join_ms=statistics.median(joins) * 1000,
    )


def _rows(kind: Kind, seen: dict[tuple[str, Kind], dict[int, Load]]) -> list[Row]:
    ours, janus = seen["hub", kind], seen.get(("janus", kind), {})

    def median(loads: dict[int, Load], field: str) -> float:
        return float(statistics.median(getattr(load, field) for load in loads.values()))

    rows = [
        Row(f"{kind}: streams per core", "streams", median(ours, "streams_per_core"), Target(STREAMS[kind])),
        Row(f"{kind}: CPU per packet sent", "µs", median(ours, "us_per_packet")),
        Row(f"{kind}: worst receiver, of the median", "of 1", median(ours, "least"), Target(0.99)),
        Row(f"{kind}: join, median", "ms", median(ours, "join_ms")),
    ]
    if kind == "video":
        rows.append(Row("video: lost packets that came again", "of 1", median(ours, "repaired"), Target(0.95)))
    if janus:
        rows.append(Row(f"{kind}: streams per core, Janus", "streams", median(janus, "streams_per_core")))
        ratio = median_ratio(
            {run: load.streams_per_core for run, load in ours.items()},
            {run: load.streams_per_core for run, load in janus.items()},
        )
        rows.append(Row(f"{kind}: beside Janus", "times", ratio or 0.0, Target(1.0)))
    return rows


def _words(load: Load) -> str:
    return (
        f"{load.streams_per_core:.0f} streams per core ({load.cpu:.0%} of it, {load.packets_per_s:.0f} packets/s, "
        f"{load.us_per_packet:.1f} µs each), worst receiver {load.least:.3f}, repaired {load.repaired:.3f}, "
        f"join {load.join_ms:.0f} ms"
    )
