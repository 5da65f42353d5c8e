"""What documents cost while nothing is broken, beside Hocuspocus and y-websocket-server."""

import asyncio
import contextlib
import random
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from redis.asyncio import Redis

from hub.config import environment
from hub.embedded.spawn import Process
from load_tests.bench.cache import node_packages
from load_tests.bench.cluster.backends import Backends, running_backends
from load_tests.bench.cluster.nodes import Nodes
from load_tests.bench.collab.disk import flush_p99_ms
from load_tests.bench.collab.documents import documents_with_tokens
from load_tests.bench.collab.wire import Typed, Typing
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import Cores, cores, cpu_of, cpu_of_all, free_port, kept_on

PEER_PROGRAMS = Path(__file__).parents[2] / "peers" / "collab"
READERS = 50
DOCUMENTS = 200
SECONDS = 6.0
ANSWER_S = 90.0
START_S = 15.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Who types what, how fast."""

    row: str
    """Of which row of the bench it is: those that are compared with each other have one."""
    name: str
    typists: int
    documents: int
    readers: int
    per_second: float
    nodes: int = 1


FAN_OUT = Shape("readers", "one typist, 50 readers, 5000/s", 1, 1, READERS, 5_000)
FAST_FAN_OUT = Shape("fast", "one typist, 50 readers, 20 000/s", 1, 1, READERS, 20_000)
MANY = Shape("documents", "200 documents, 1000/s", DOCUMENTS, DOCUMENTS, 0, 1_000)
TOGETHER_ONE = Shape("together", "one document by 3 typists on one node, 1000/s", 3, 1, 0, 1_000)
TOGETHER_THREE = Shape("together", "one document by 3 typists on three nodes, 1000/s", 3, 1, 0, 1_000, nodes=3)
SHAPES = (FAN_OUT, FAST_FAN_OUT, MANY, TOGETHER_ONE, TOGETHER_THREE)
OF_PEERS = (FAN_OUT, MANY)
HUB, PEERS = "hub", ("hocuspocus", "y-websocket")


@dataclass(frozen=True, slots=True)
class Paced:
    """One server under one shape."""

    server: str
    shape: Shape
    typed: Typed
    cpu_us: float
    """Of the server's processes, for each update."""
    postgres_us: float = 0.0
    published: float = 0.0
    """Messages through Redis for each update."""
    flush_p99_ms: float = 0.0
    """Of the disk, just before."""


async def measure_pace(
    folder: Path, cache: Path, tell: Callable[[str], None], *, rows: Collection[str], servers: Collection[str]
) -> list[Paced]:
    """The hub under each shape, and the peers under those that they can be compared in."""
    where, found = cores(), []
    for server in (peer for peer in PEERS if peer in servers):
        for shape in (shape for shape in OF_PEERS if shape.row in rows):
            async with _peer(server, cache, where) as (port, pid):
                dialect = "hocuspocus" if server == "hocuspocus" else "y-websocket"
                names = [f"bench-{number}" for number in range(shape.documents)]
                urls = [f"127.0.0.1:{port}" + ("/" if dialect == "hocuspocus" else f"/{name}") for name in names]
                typing = _typing(shape, dialect, urls, names, [""] * shape.documents)
                found.append(await _measure(server, shape, typing, [pid], folder, where))
                tell(f"{server}, {shape.name}: {found[-1].cpu_us:.0f} µs")
    for shape in (shape for shape in SHAPES if shape.row in rows and HUB in servers):
        own = folder / f"hub{len(found)}"
        own.mkdir(mode=0o711)
        found.append(await _measure_hub(shape, own, where))
        tell(f"hub, {shape.name}: {found[-1].cpu_us:.0f} µs")
    return found


async def _measure_hub(shape: Shape, folder: Path, where: Cores) -> Paced:
    with kept_on(where.others):
        async with running_backends(folder, people=shape.documents, rooms=1) as backends:
            with kept_on({where.server}):
                nodes = Nodes(shape.nodes, backends.environment, folder)
                for node in nodes.all:
                    node.launch()
            try:
                await nodes.ready()
                documents = await documents_with_tokens(backends, nodes, shape.documents)
                urls = [
                    f"127.0.0.1:{nodes.all[number % shape.nodes].port}/collab/{documents[number % shape.documents].id}"
                    for number in range(max(shape.documents, shape.nodes))
                ]
                names, tokens = [one.id for one in documents], [one.document_token for one in documents]
                typing = _typing(shape, "y-websocket", urls, names, tokens)
                pids = [node.pid for node in nodes.all]
                return await _measure(HUB, shape, typing, pids, folder, where, backends)
            finally:
                await nodes.end()


async def _measure(
    server: str,
    shape: Shape,
    typing: Typing,
    pids: Sequence[int],
    folder: Path,
    where: Cores,
    backends: Backends | None = None,
) -> Paced:
    flush_ms = await asyncio.to_thread(flush_p99_ms, folder)
    file = folder / "typing.json"
    file.touch(mode=0o600)
    file.write_bytes(msgspec.json.encode(typing))
    with kept_on(where.others):
        load = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "load_tests.bench.collab.wire", str(file)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
    assert load.stdin is not None
    assert load.stdout is not None
    try:
        async with asyncio.timeout(ANSWER_S):
            await _expect(load.stdout, b"ready")
            before, at_postgres, published = _cpu(pids), _postgres(backends), await _published(backends)
            load.stdin.write(b"go\n")
            await _expect(load.stdout, b"done")
            run_ns, postgres_ns = _cpu(pids) - before, _postgres(backends) - at_postgres
            published = await _published(backends) - published
            typed = msgspec.json.decode(await load.stdout.readline(), type=Typed)
    except TimeoutError:
        raise CannotMeasure(f"{server}, {shape.name}: not done after {ANSWER_S:.0f} s") from None
    finally:
        if load.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                load.kill()
        await load.wait()
    each = 1000 * typed.sent
    return Paced(server, shape, typed, run_ns / each, postgres_ns / each, published / typed.sent, flush_ms)


async def _expect(said: asyncio.StreamReader, word: bytes) -> None:
    line = await said.readline()
    if line.strip() != word:
        raise CannotMeasure(f"the load generator ended: {line.decode(errors='replace')}")


def _typing(shape: Shape, dialect: str, urls: Sequence[str], names: Sequence[str], tokens: Sequence[str]) -> Typing:
    return Typing(
        dialect=dialect,
        urls=urls,
        names=names,
        tokens=tokens,
        typists=shape.typists,
        readers=shape.readers,
        per_second=shape.per_second,
        seconds=SECONDS,
    )


def _cpu(pids: Sequence[int]) -> int:
    return sum(cpu_of(pid).run_ns for pid in pids)


def _postgres(backends: Backends | None) -> int:
    process: Process | None = None if backends is None else backends.postgres.process
    return 0 if process is None else cpu_of_all([process.pid])


async def _published(backends: Backends | None) -> int:
    if backends is None:
        return 0
    async with Redis.from_url(backends.redis_url) as redis:
        statistics: Mapping[str, Mapping[str, int]] = await redis.info("commandstats")
    return statistics.get("cmdstat_publish", {}).get("calls", 0)


@contextlib.asynccontextmanager
async def _peer(name: str, cache: Path, where: Cores) -> AsyncIterator[tuple[int, int]]:
    """A running peer's port and process."""
    is_installed = (PEER_PROGRAMS / "node_modules").is_dir()  # by `./sparkle test`
    packages = PEER_PROGRAMS if is_installed else await asyncio.to_thread(node_packages, PEER_PROGRAMS, cache)
    port = free_port(random.Random())
    inherited = {key: value for key, value in environment().items() if key in ("PATH", "HOME", "LANG")}
    script = packages / f"{name.replace('-', '_')}.mjs"
    with kept_on({where.server}):
        process = await asyncio.create_subprocess_exec(
            *(shutil.which("node") or "node", script, str(port)),
            env=inherited | {"NODE_ENV": "production"},
            stdout=asyncio.subprocess.DEVNULL,
        )
    try:
        async with asyncio.timeout(START_S):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield port, process.pid
    except TimeoutError:
        raise CannotMeasure(f"{name} does not answer") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
