"""Clients type, processes are killed, and at the end the ledger is held against what is stored."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from load_tests.bench.cluster.backends import running_backends
from load_tests.bench.cluster.nodes import Nodes
from load_tests.bench.collab.documents import SharedDocument, documents_with_tokens
from load_tests.bench.collab.kills import Kills
from load_tests.bench.collab.ledger import Verdict, judge, read_ledgers
from load_tests.bench.collab.typists import KINDS, State, Typists, packages_of

COMPACT_AFTER = 30
"""Updates, so that documents are compacted all the time."""
SETTLED_S = 60.0
"""After the last kill, until everybody has an acknowledgement for all they have made."""
HUB_PROGRAM = "hub.cli"
HASTY_PROGRAM = "load_tests.bench.collab.hasty_node"


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    nodes: int = 3
    documents: int = 6
    writers: int = 12
    per_second: float = 10.0
    """Changes of one writer."""
    processes: int = 2
    """That clients run in."""
    kinds: Sequence[str] = KINDS


@dataclass(slots=True)
class Trial:
    """What came of it."""

    kills: Counter[str]
    verdict: Verdict
    seconds: float
    settled: bool
    """Whether everybody had an acknowledgement for everything at the end."""
    kinds: Counter[str]
    """Acknowledged changes of each kind of client."""
    tracebacks: list[str] = field(default_factory=list)
    """Lines of the nodes' logs that begin one: asyncpg's pool writes one if it begins while PostgreSQL is away."""

    @property
    def holds(self) -> bool:
        """Whether the hub has kept its promise, and all copies are the same."""
        return self.settled and not (self.verdict.missing or self.verdict.unlike)


async def run_trial(
    folder: Path,
    cache: Path,
    kills: int,
    seed: int,
    size: Size,
    tell: Callable[[str], None],
    program: str = HUB_PROGRAM,
) -> Trial:
    """Kill so many processes. Raises CannotMeasure if something does not start, or does not come back."""
    began = time.monotonic()
    packages = await asyncio.to_thread(packages_of, cache)
    async with running_backends(folder, people=size.documents, rooms=1) as backends:
        settings = {"SPARKLE_COLLAB_COMPACT_AFTER": str(COMPACT_AFTER)}
        nodes = Nodes(size.nodes, backends.environment | settings, folder, program)
        async with _running(nodes):
            documents = await documents_with_tokens(backends, nodes, size.documents)
            async with _typing(documents, nodes, folder, packages, size) as typists:
                killing = Kills(backends, nodes, typists, lambda one: one.start(packages, size.per_second), seed, tell)
                await killing.until(kills)
                settled, states = await _settle(typists)
        copies: dict[int, list[str]] = {}
        for number, text in (one for state in states for one in state.texts):
            copies.setdefault(number, []).append(text)
        ledger = await asyncio.to_thread(read_ledgers, [one.ledger for one in typists])
        ids = [document.id for document in documents]
        verdict = await judge(backends.database_url, ids, ledger, copies, folder, packages)
    logs = [line for node in nodes.all for line in node.said().splitlines() if "Traceback" in line]
    kinds = Counter(one.k for one in ledger)
    return Trial(killing.done, verdict, time.monotonic() - began, settled, kinds, logs)


@contextlib.asynccontextmanager
async def _running(nodes: Nodes) -> AsyncIterator[None]:
    try:
        await nodes.start()
        yield
    finally:
        await nodes.kill()  # whatever was in their memory alone is gone, too


@contextlib.asynccontextmanager
async def _typing(
    documents: Sequence[SharedDocument], nodes: Nodes, folder: Path, packages: Path, size: Size
) -> AsyncIterator[list[Typists]]:
    writers = [
        {
            "number": number,
            # One further each time round the documents, so that each document has clients of several kinds.
            "kind": size.kinds[(number % size.documents + number // size.documents) % len(size.kinds)],
            "document": number % size.documents,
            "deletes": number % size.documents >= size.documents // 2,
            "documentId": document.id,
            "token": document.token,
            "documentToken": document.document_token,
        }
        for number in range(size.writers)
        for document in (documents[number % size.documents],)
    ]
    ports = [node.port for node in nodes.all]
    typists = [
        Typists(f"clients{process}", writers[process :: size.processes], ports, folder)
        for process in range(size.processes)
    ]
    try:
        for one in typists:
            await one.start(packages, size.per_second)
        yield typists
    finally:
        await asyncio.gather(*(one.kill() for one in typists))


async def _settle(typists: Sequence[Typists]) -> tuple[bool, list[State]]:
    for one in typists:
        await one.calm()
    end = time.monotonic() + SETTLED_S
    while True:
        states = [await one.state() for one in typists]
        if not any(state.waiting for state in states):
            break
        if time.monotonic() > end:
            return False, states
        await asyncio.sleep(0.2)
    texts: object = None
    while texts != (latest := [state.texts for state in states]):  # what others made is on its way to the last of them
        texts = latest
        await asyncio.sleep(3.0)
        states = [await one.state() for one in typists]
    return True, states
