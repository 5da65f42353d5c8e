"""What was acknowledged, and whether it is stored: read by Yjs of npm and by pycrdt, from the database alone."""

import asyncio
import base64
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from pycrdt import Doc, Text

from collab import state_vector
from collab.document import Document
from collab.log import Known, unpack
from collab.log_postgres import PostgresLog
from load_tests.bench.errors import CannotMeasure

JUDGE_S = 120.0
EMPTY = b"\0\0"


class Acknowledged(msgspec.Struct, frozen=True):
    """A line of a ledger."""

    d: int
    """The number of the document."""
    c: int
    """The client id of Yjs."""
    e: int
    """The clock past the change."""
    k: str
    """The kind of client."""
    s: str | None
    """Its text, unless others may have deleted it."""


@dataclass(slots=True)
class Verdict:
    """What the judges found."""

    acknowledged: int = 0
    missing: list[str] = field(default_factory=list)
    """What each judge missed: the document, and the text or the clock."""
    unlike: list[str] = field(default_factory=list)
    """Copies that are not like the stored document."""


def read_ledgers(paths: Sequence[Path]) -> list[Acknowledged]:
    """All of them. The last line of a process that was killed may be cut off: that one was not acknowledged."""
    found = []
    for path in paths:
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                found.append(msgspec.json.decode(line, type=Acknowledged))
    return found


async def judge(
    database_url: str,
    documents: Sequence[str],
    ledger: Sequence[Acknowledged],
    copies: Mapping[int, Sequence[str]],
    folder: Path,
    packages: Path,
) -> Verdict:
    """Look for all that was acknowledged in what is stored, and compare it with ``copies`` of each document's text."""
    verdict = Verdict(acknowledged=len(ledger))
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=1)
    try:
        log = PostgresLog(pool, database_url)
        stored = [await _updates(log, document_id) for document_id in documents]
    finally:
        await pool.close()
    tasks = [
        {
            "updates": [base64.b64encode(update).decode() for update in updates],
            "marks": [one.s for one in ledger if one.d == number and one.s is not None],
            "clocks": _clocks(one for one in ledger if one.d == number),
        }
        for number, updates in enumerate(stored)
    ]
    by_yjs = await _ask_yjs(tasks, folder, packages)
    for number, (updates, task, found) in enumerate(zip(stored, tasks, by_yjs, strict=True)):
        verdict.missing += [f"document {number}, Yjs: {what}" for what in found["missing"]]
        text, missing = _look(updates, task)
        verdict.missing += [f"document {number}, pycrdt: {what}" for what in missing]
        for who, copy in (("pycrdt", text), *(("a client", copy) for copy in copies.get(number, ()))):
            if copy != found["text"]:
                verdict.unlike.append(f"document {number}: {who} has {len(copy)} letters, Yjs {len(found['text'])}")
    return verdict


async def _updates(log: PostgresLog, document_id: str) -> list[bytes]:
    reading = await log.read(document_id, Known(0, {}))
    state = reading.snapshot.state if reading.snapshot is not None else None
    return [state or EMPTY, *(update for row in reading.rows for update in unpack(row.data))]


def _clocks(entries: Iterable[Acknowledged]) -> dict[int, int]:
    clocks: dict[int, int] = {}
    for one in entries:
        clocks[one.c] = max(one.e, clocks.get(one.c, 0))
    return clocks


def _look(updates: Sequence[bytes], task: Mapping[str, Any]) -> tuple[str, list[str]]:
    """What pycrdt makes of the updates, in causal order, and what it misses."""
    document = Document("judged")
    document.apply_ready(updates)
    doc: Doc[Any] = Doc()
    doc.apply_update(document.diff())
    text = str(doc.get("text", type=Text))
    missing = [mark for mark in task["marks"] if mark not in text]
    has = state_vector.decode(doc.get_state())
    missing += [f"{clock} of client {client}" for client, clock in task["clocks"].items() if has.get(client, 0) < clock]
    missing += ["what others build on"] * bool(document.early)
    return text, missing


async def _ask_yjs(tasks: Sequence[object], folder: Path, packages: Path) -> list[dict[str, Any]]:
    given = folder / "judged.json"
    given.write_text(json.dumps(tasks))
    process = await asyncio.create_subprocess_exec(
        *(shutil.which("node") or "node", packages / "judge.mjs", given),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(JUDGE_S):
        said, complaints = await process.communicate()
    if process.returncode != 0:
        raise CannotMeasure(f"Yjs cannot judge: {complaints.decode()[-2000:]}")
    answer: list[dict[str, Any]] = json.loads(said)
    return answer
