"""collab.native.audience: the changes of a commit reach each reader in one piece, in their order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from collab.hot import Shown
from collab.native.audience import NativeAudience
from collab.native.open_document import OpenDocument
from collab.native.state import State
from hub.kernel.framed import FramedSocket

CHANGES = [Shown(b"1", None), Shown(b"2", "ada"), Shown(b"3", "bob"), Shown(b"4", "ada")]


@dataclass
class Sent:
    """Implements hub.kernel.framed.Sender, and remembers: who, and what at once."""

    calls: list[tuple[list[str], list[bytes]]] = field(default_factory=list)

    def send_all(self, sockets: Iterable[FramedSocket], messages: Sequence[bytes], *, volatile: bool = False) -> None:
        self.calls.append(([one.id for one in sockets], list(messages)))


@dataclass
class Voice:
    name: bytes

    def update(self, update: bytes) -> bytes:
        return self.name + update


@dataclass
class Somebody:
    """Stands for collab.native.open_document.OpenDocument."""

    id: str
    voice: Voice
    state: State = State.LIVE
    document_id: str = "document"
    kept: list[bytes] = field(default_factory=list)

    @property
    def socket(self) -> Any:
        return self

    def shows(self, changes: Sequence[Shown]) -> bool:
        if self.state is State.CATCHING_UP:
            self.kept += [update for update, _ in changes]
        return self.state is State.LIVE


def audience(*people: Somebody, echoes: bool) -> tuple[NativeAudience, Sent]:
    sent = Sent()
    made = NativeAudience(sent, echoes=echoes)
    for one in people:
        made.add(cast("OpenDocument", one))
    return made, sent


def test_all_changes_of_a_commit_go_to_all_readers_of_a_name_in_one_call() -> None:
    plain, other = Voice(b""), Voice(b"n")
    people = [Somebody("ada", plain), Somebody("eve", plain), Somebody("bob", other)]
    made, sent = audience(*people, echoes=True)
    made.deliver("document", CHANGES)
    assert sent.calls == [(["ada", "eve"], [b"1", b"2", b"3", b"4"]), (["bob"], [b"n1", b"n2", b"n3", b"n4"])]
    made.deliver("another", CHANGES)
    assert len(sent.calls) == 2


def test_where_nothing_is_echoed_each_writer_gets_what_the_others_wrote_in_its_order() -> None:
    voice = Voice(b"")
    made, sent = audience(*(Somebody(id, voice) for id in ("ada", "bob", "eve")), echoes=False)
    made.deliver("document", CHANGES)
    assert sorted(sent.calls) == [
        (["ada"], [b"1", b"3"]),
        (["bob"], [b"1", b"2", b"4"]),
        (["eve"], [b"1", b"2", b"3", b"4"]),
    ]
    sent.calls.clear()
    made.deliver("document", [Shown(b"5", "ada")])
    assert sent.calls == [(["bob", "eve"], [b"5"])]


def test_who_catches_up_keeps_them_and_who_has_left_gets_nothing() -> None:
    voice = Voice(b"")
    late, gone = Somebody("late", voice, State.CATCHING_UP), Somebody("gone", voice)
    made, sent = audience(late, gone, echoes=True)
    made.discard(cast("OpenDocument", gone))
    made.deliver("document", CHANGES)
    assert sent.calls == []
    assert late.kept == [b"1", b"2", b"3", b"4"]
    made.discard(cast("OpenDocument", late))
    assert made._open == {}
