"""One document that an editor has open over a WebSocket, whatever it speaks.

    WAITING ──it says what it has──▶ CATCHING_UP ──it is sent the rest──▶ LIVE ──the socket is full──▶ BEHIND
                                          ▲───────────────────────drained──────────────────────────────┘

Changes that are committed while it is CATCHING_UP are sent after the rest. To one that is BEHIND they are not sent at
all: it gets the difference once its client reads again. So what is kept for it has a bound, and nothing is missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Final

from collab import awareness
from collab.decoding import BadUpdate, Reader
from collab.editing import Editing
from collab.errors import InvalidUpdate, NotJoined, UpdateGap
from collab.native import close_codes
from collab.native.confirmations import Confirmations
from collab.native.intake import Intake
from collab.native.sync import Change, SyncRequest
from collab.tokens import Pass
from hub.kernel.errors import Forbidden, HubError, NotFound, PayloadTooLarge, Unavailable
from hub.kernel.framed import FramedSocket

if TYPE_CHECKING:
    from collab.native.service import NativeEditing
    from collab.native.voice import Voice

log = logging.getLogger(__name__)

MAX_EARLY_BYTES: Final = 1 << 20
"""Of changes that are committed while a client catches up; with more, it has to do so once more."""
MAX_ANNOUNCEMENTS: Final = 4
"""That are kept until the document is open. The first is of the client itself."""
STATES_AT_ONCE: Final = 20
"""That an announcement may have for the price of one: each takes 2 µs to read."""


class State(Enum):
    """See above."""

    WAITING = 1
    CATCHING_UP = 2
    LIVE = 3
    BEHIND = 4
    CLOSED = 5


class Resync:
    """The client has read everything and is behind."""


class OpenDocument:
    """Implements collab.editing.Editor. What its client sends is taken in the order it came."""

    def __init__(
        self,
        document_id: str,
        id: str,
        socket: FramedSocket,
        voice: Voice,
        service: NativeEditing,
        intake: Intake,
    ) -> None:
        self.document_id = document_id
        self.id = id
        """Of the editor."""
        self.socket = socket
        self.voice = voice
        self.state = State.WAITING
        self._service = service
        self._editing: Editing = service.editing
        self._pass: Pass | None = None
        self._is_open = False
        self._may_write = False
        self._vector = b""
        """What the client has been sent, at least."""
        self._early: list[bytes] = []
        self._early_bytes = 0
        self._waiting: deque[SyncRequest | Change | Resync] = deque()
        self._intake = intake
        self._announcements: list[bytes] = []
        self._asked_who = False
        self._working = False
        self._confirmations = Confirmations()

    # ---------------------------------------------------------------- what the client says

    def admit(self, given: Pass) -> None:
        """The client may open it, as far as its pass says; what it has said so far is looked at now."""
        self._pass = given
        self._work_soon()

    def take(self, message: SyncRequest | Change) -> None:
        """A sync message."""
        if self.state is not State.CLOSED:
            self._waiting.append(message)
            self._intake.add(_size(message))
            self._work_soon()

    def announce(self, update: bytes) -> None:
        """An awareness update. One that is too much, or comes too often, is dropped. Raises InvalidUpdate."""
        if self.state is State.CLOSED or len(update) > awareness.MAX_BYTES:
            return
        if self._service.wait("collab:awareness", self._pass, self.socket, count=_price(update)):
            return
        if self._is_open:
            self._announce(update)
        elif len(self._announcements) < MAX_ANNOUNCEMENTS:
            self._announcements.append(update)

    def _announce(self, update: bytes) -> None:
        with contextlib.suppress(awareness.TooMuch):
            self._editing.announce(self.document_id, self.id, update)

    def query(self) -> None:
        """The client asks who is there. It is told once, however often it asked in one turn of the loop."""
        if not self._is_open or self._asked_who:
            return
        if not self._service.wait("collab:awareness", self._pass, self.socket):
            self._asked_who = True
            asyncio.get_running_loop().call_soon(self._answer_who)

    def _answer_who(self) -> None:
        self._asked_who = False
        if self.state is not State.CLOSED:
            self._show_present()

    def _show_present(self) -> None:
        present = self._editing.present(self.document_id)
        if present is not None:
            self.socket.send(self.voice.awareness(present), volatile=True)

    # ---------------------------------------------------------------- doing it, one after the other

    def _work_soon(self) -> None:
        if self._pass is not None and not self._working and self.state is not State.CLOSED:
            self._working = True
            self._service.tasks.start(self._work(self._pass), name="messages of an editor")

    async def _work(self, given: Pass) -> None:
        try:
            if not self._is_open:
                await self._open(given)
            while self._waiting and self.state is not State.CLOSED and not self.socket.full:
                await self._next(given)
        except Exception as error:
            self._fail(error)
        finally:
            self._working = False

    async def _open(self, given: Pass) -> None:
        self._service.audience.add(self)
        opened = await self._editing.open(
            self.document_id,
            None,
            id=self.id,
            connection=self.socket.id,
            actor=given.actor,
            audience=self._service.audience,
            editor=self,
            may_ever_write=given.may_write,
            follows_session=True,
        )
        if self.state is State.CLOSED:
            self._editing.leave(self.document_id, self.id)
            return
        self._is_open, self._may_write = True, opened.may_write
        self._say(self.voice.opened(may_write=opened.may_write))
        announcements, self._announcements = self._announcements, []
        for update in announcements:
            self._announce(update)

    async def _next(self, given: Pass) -> None:
        message = self._pop()
        if isinstance(message, Change):
            changes = [message]
            while self._waiting and isinstance(following := self._waiting[0], Change):
                changes.append(following)
                self._pop()
            await self._store(changes, given)
        else:
            await self._catch_up(message, given)

    def _pop(self) -> SyncRequest | Change | Resync:
        message = self._waiting.popleft()
        if not isinstance(message, Resync):
            self._intake.remove(_size(message))
        return message

    async def allowed(self, event: str, given: Pass) -> None:
        """Return as soon as the client may do that, or is gone: who is too fast is slowed down."""
        wait_s = self._service.wait(event, given, self.socket)
        while wait_s and self.is_here:
            await asyncio.sleep(wait_s)
            wait_s = self._service.wait(event, given, self.socket)

    async def _catch_up(self, asked: SyncRequest | Resync, given: Pass) -> None:
        first = self.state is State.WAITING
        if isinstance(asked, SyncRequest) and not first:  # the first belongs to the opening, which was counted
            await self.allowed("collab:join", given)
            if self.state is State.CLOSED:
                return
        vector = asked.vector if isinstance(asked, SyncRequest) else self._vector
        self.state, self._early, self._early_bytes = State.CATCHING_UP, [], 0
        joined = await self._editing.catch_up(self.document_id, self.id, vector)
        if self.state is not State.CATCHING_UP:  # closed meanwhile
            return
        if isinstance(asked, SyncRequest):
            self._confirmations.client_asks()
            if self._may_write:
                self._confirmations.hub_asks(with_answer=True)
            for message in self.voice.answer(asked, joined.update, joined.vector, may_write=self._may_write):
                self.socket.send(message)
        else:
            self.socket.send(self.voice.update(joined.update))
        self._vector = joined.vector
        if first or isinstance(asked, Resync):
            self._show_present()
        early, self._early = self._early, []
        if self.socket.full:
            self.state = State.BEHIND
        elif self._early_bytes > MAX_EARLY_BYTES:
            self._resync()
        else:
            self.state = State.LIVE
            for update in early:
                self.socket.send(self.voice.update(update))
        await asyncio.sleep(0)  # so that it goes out, and is seen to fill the socket before more is asked of the hub

    async def _store(self, changes: list[Change], given: Pass) -> None:
        """Have changes stored, together, and say so."""
        for _ in changes:
            await self.allowed("collab:change", given)
        if not await self._editing.may_write(self.document_id, self.id):
            for change in changes:
                self._refuse(change)
            return
        outcomes = await asyncio.gather(*map(self._submit, changes), return_exceptions=True)
        gap: UpdateGap | None = None
        for change, outcome in zip(changes, outcomes, strict=True):
            # Perhaps one before it, which waited for something, came after it into the log.
            settled = await self._again(change) if isinstance(outcome, UpdateGap) else outcome
            if isinstance(settled, UpdateGap):
                self._confirmations.not_stored(is_answer=change.is_answer)
                gap = settled
            else:
                self._tell(change, settled)
        if gap is not None:  # once: the answer has what all of them lack
            self._ask(gap.details["stateVector"])

    async def _again(self, change: Change) -> BaseException | None:
        (outcome,) = await asyncio.gather(self._submit(change), return_exceptions=True)
        return outcome

    async def _submit(self, change: Change) -> None:
        await self._editing.change(self.document_id, self.id, change.update, is_answer=change.is_answer)

    def _tell(self, change: Change, error: BaseException | None) -> None:
        if error is None:
            for _ in range(self._confirmations.stored(is_answer=change.is_answer)):
                self._say(self.voice.taken(stored=True))
        elif isinstance(error, Forbidden):
            self._refuse(change)
        else:
            raise error

    def _refuse(self, change: Change) -> None:
        self._confirmations.not_stored(is_answer=change.is_answer)
        self._say(self.voice.taken(stored=False))

    def _ask(self, vector: bytes) -> None:
        self._confirmations.hub_asks(with_answer=False)
        self.socket.send(self.voice.ask(vector))

    def _say(self, message: bytes | None) -> None:
        if message is not None:
            self.socket.send(message)

    # ---------------------------------------------------------------- what the hub says

    def shows(self, update: bytes) -> bool:
        """Whether a change is to be sent now; if not, it is kept for later, or contained in what is sent then."""
        if self.state is State.CATCHING_UP and self._early_bytes <= MAX_EARLY_BYTES:
            self._early.append(update)
            self._early_bytes += len(update)
        return self.state is State.LIVE

    def filled(self) -> None:
        """The client does not read."""
        if self.state is State.LIVE:
            self.state = State.BEHIND
            self._vector = self._editing.shown(self.document_id) or self._vector

    def drained(self) -> None:
        """The client has read everything that was sent."""
        if self.state is State.BEHIND:
            self._resync()
        elif self._waiting:
            self._work_soon()

    def _resync(self) -> None:
        self.state = State.CATCHING_UP
        self._waiting.appendleft(Resync())
        self._work_soon()

    @property
    def is_here(self) -> bool:
        """See collab.editing.Editor."""
        return self.state is not State.CLOSED

    async def access_changed(self, may_write: bool) -> None:
        """See collab.editing.Editor."""
        self._may_write = may_write
        if self._is_open:
            self._say(self.voice.access(may_write=may_write))
            if may_write and self.state is not State.WAITING:  # for what it could not send until now
                self._ask(self._vector)

    async def put_out(self) -> None:
        """See collab.editing.Editor."""
        self.end(close_codes.FORBIDDEN, "the document is not yours to see any more")

    def _fail(self, error: Exception) -> None:
        known = self._service.as_hub_error(error)
        if known is None:
            log.error("an editor's messages could not be handled", exc_info=error)
        code = close_codes.TRY_AGAIN
        if isinstance(known, InvalidUpdate):
            code = close_codes.BAD_MESSAGE
        elif isinstance(known, NotFound | NotJoined | Forbidden):
            code = close_codes.FORBIDDEN
        elif isinstance(known, PayloadTooLarge):
            code = close_codes.TOO_LARGE
        elif known is not None and not known.temporary and not isinstance(known, Unavailable):
            code = close_codes.FORBIDDEN
        self.end(code, (known or HubError()).message)

    def end(self, code: int, reason: str) -> None:
        """Close it for the client. Safe to call twice."""
        if self.state is not State.CLOSED:
            self.close()
            self.voice.put_out(code, reason)

    def close(self) -> None:
        """It is closed, with its cursors; its client knows. Safe to call twice."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        while self._waiting:
            self._pop()
        self._early, self._announcements = [], []
        self._service.audience.discard(self)
        self._editing.leave(self.document_id, self.id)


def _price(update: bytes) -> int:
    """What an announcement takes from the allowance. One that lies about its length is found out when it is read."""
    try:
        count = Reader(update).uint()
    except (BadUpdate, IndexError):
        return 1
    return 1 + min(count, awareness.MAX_STATES) // STATES_AT_ONCE


def _size(message: SyncRequest | Change | Resync) -> int:
    match message:
        case SyncRequest():
            return len(message.vector)
        case Change():
            return len(message.update)
    return 0
