"""collab.commits without a database: what shares a commit, and who is told of it when."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from collab.commits import Commit, GroupCommit, Submission
from collab.document import Document
from collab.log import Known, Reading, Refused, Row, Writer, unpack
from hub.kernel.errors import Overloaded, Unavailable
from hub.kernel.tasks import Tasks
from tests.support.wait import until

ROOM = 1000


@dataclass
class MemoryLog:
    """Implements collab.log.UpdateLog and Writer, as far as commits need them. Waits before each commit if told so."""

    commits: list[list[Row]] = field(default_factory=list)
    may_commit: asyncio.Event = field(default_factory=asyncio.Event)
    refused: set[str] = field(default_factory=set)
    stream: int = 1

    async def open(self) -> Writer:
        return self

    async def append(self, rows: Sequence[Row]) -> None:
        await self.may_commit.wait()
        if any(row.document_id in self.refused for row in rows):
            raise Refused("not those")
        self.commits.append(list(rows))

    def drop(self) -> None:
        """Nothing to close."""

    async def read(self, document_id: str, known: Known) -> Reading:
        raise NotImplementedError

    stale = crowded = read


@dataclass
class World:
    log: MemoryLog
    group: GroupCommit
    told: list[str] = field(default_factory=list)
    """Updates that were shown, and names of those who were told."""

    def add(self, update: bytes, document: Document) -> Submission:
        return self.group.add(document, update, "me")

    @property
    def committed(self) -> list[list[bytes]]:
        return [[update for row in rows for update in unpack(row.data)] for rows in self.log.commits]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    log, told, tasks = MemoryLog(), list[str](), Tasks()
    log.may_commit.set()

    def show(commit: Commit) -> None:
        told.extend(one.update.decode() for one in commit.submissions)

    made = World(log, GroupCommit(log, show, waiting_bytes=ROOM), told)  # type: ignore[arg-type]
    tasks.start(made.group.run(), name="commits")
    yield made
    await tasks.close()


async def test_what_comes_after_a_pause_is_committed_at_once_and_a_stream_shares_commits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.commits.SPACING_S", 0.2)
    document = Document("one")
    await world.add(b"first", document).stored()
    assert world.committed == [[b"first"]]
    stream = []
    for number in range(30):  # in many turns of the loop, all within the spacing
        stream.append(world.add(b"%d" % number, document))
        await asyncio.sleep(0)
    await stream[-1].stored()
    assert world.committed[1] == [b"%d" % number for number in range(30)]
    assert len(world.committed) == 2


async def test_all_of_a_commit_is_shown_before_anybody_is_told_and_each_has_the_place_of_its_row(world: World) -> None:
    one, other = Document("one"), Document("other")
    sent = [world.add(b"a", one), world.add(b"b", other), world.add(b"c", one)]
    sent[0].batch.then(lambda: world.told.append("told"))
    assert [await one.stored() for one in sent] == ["1-1", "1-1", "1-1"]
    assert world.told == ["a", "c", "b", "told"]
    sent[0].batch.then(lambda: world.told.append("at once"))
    assert world.told[-1] == "at once"


async def test_one_who_cannot_be_told_keeps_nobody_else_waiting(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    first = world.add(b"a", Document("one"))
    first.batch.then(fail)
    assert await first.stored() == "1-1"
    assert await world.add(b"b", Document("two")).stored() == "1-1"
    assert "a bug" in caplog.text


async def test_what_the_database_refuses_fails_alone_and_with_all_that_builds_on_it(world: World) -> None:
    world.log.refused = {"bad"}
    bad, good = Document("bad"), Document("good")
    world.log.may_commit.clear()
    held = world.add(b"held", good)
    await until(lambda: not world.group._waiting)
    refused, stored = world.add(b"a", bad), world.add(b"b", good)
    world.log.may_commit.set()
    assert await held.stored() == "1-1"
    assert await stored.stored() == "1-2"
    for one in (refused, world.add(b"c", bad)):
        with pytest.raises(Unavailable):
            await one.stored()
    assert world.committed == [[b"held"], [b"b"]]


async def test_only_so_much_waits(world: World) -> None:
    world.log.may_commit.clear()
    world.add(b"x", Document("one"))
    await until(lambda: not world.group._waiting)
    last = world.add(b"y" * (ROOM - 1), Document("one"))
    assert world.group.has_room(1)
    assert not world.group.has_room(2)
    with pytest.raises(Overloaded):
        world.group.check_room(2)
    world.log.may_commit.set()
    await last.stored()
    assert world.group.has_room(ROOM)
