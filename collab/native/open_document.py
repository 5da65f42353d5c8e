"""One document that an editor has open over a WebSocket, whatever it speaks.

    WAITING ──it says what it has──▶ CATCHING_UP ──it is sent the rest──▶ LIVE ──the socket is full──▶ BEHIND
                                          ▲───────────────────────drained──────────────────────────────┘

Changes that are committed while it is CATCHING_UP are sent after the rest. To one that is BEHIND they are not sent at
all: it gets the difference once its client reads again. So what is kept for it has a bound, and nothing is missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Final

from collab.editing import Editing
from collab.errors import InvalidUpdate, NotJoined, UpdateGap
from collab.native import close_codes
from collab.native.sync import Change, SyncRequest
from collab.tokens import Pass
from hub.kernel.errors import Forbidden, HubError, NotFound, PayloadTooLarge, Unavailable
from hub.kernel.framed import FramedSocket

if TYPE_CHECKING:
    from collab.native.service import NativeEditing
    from collab.native.voice import Voice

log = logging.getLogger(__name__)

MAX_WAITING: Final = 64
"""Messages of a document that wait for the hub; then the socket is not read any more. Changes that wait together are
stored together."""
MAX_WAITING_BYTES: Final = 1 << 20
"""The same in bytes: also before its client is let in."""
MAX_EARLY_BYTES: Final = 1 << 20
"""Of changes that are committed while a client catches up; with more, it has to do so once more."""
MAX_ANNOUNCEMENTS: Final = 4
"""That are kept until the document is open. The first is of the client itself."""


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

    def __init__(self, document_id: str, id: str, socket: FramedSocket, voice: Voice, service: NativeEditing) -> None:
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
        self._waiting_bytes = 0
        self._announcements: list[bytes] = []
        self._working = False
        self._paused = False
        self._owed = 0
        """Changes with a gap that the client's next answer will bring once more."""

    # ---------------------------------------------------------------- what the client says

    def admit(self, given: Pass) -> None:
        """The client may open it, as far as its pass says; what it has said so far is looked at now."""
        self._pass = given
        self._work_soon()

    def take(self, message: SyncRequest | Change) -> None:
        """A sync message."""
        if self.state is not State.CLOSED:
            self._waiting.append(message)
            self._waiting_bytes += _size(message)
            if not self._has_room() and not self._paused:
                self._paused = True
                self.socket.pause()
            self._work_soon()

    def announce(self, update: bytes) -> None:
        """An awareness update. Raises InvalidUpdate."""
        if self.state is State.CLOSED or self._service.is_over_limit("collab:awareness", self._pass, self.socket):
            return
        if self._is_open:
            self._editing.announce(self.document_id, self.id, update)
        elif len(self._announcements) < MAX_ANNOUNCEMENTS:
            self._announcements.append(update)

    def query(self) -> None:
        """The client asks who is there."""
        if self._is_open:
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
            while self._waiting and self.state is not State.CLOSED:
                await self._next(given)
        except Exception as error:
            self._fail(error)
        finally:
            self._working = False
            self._read_on()

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
            self._editing.announce(self.document_id, self.id, update)

    async def _next(self, given: Pass) -> None:
        message = self._pop()
        if isinstance(message, Change):
            changes = [message]
            while self._waiting and isinstance(following := self._waiting[0], Change):
                changes.append(following)
                self._pop()
            self._read_on()
            await self._store(changes, given)
        else:
            self._read_on()
            await self._catch_up(message)

    def _pop(self) -> SyncRequest | Change | Resync:
        message = self._waiting.popleft()
        self._waiting_bytes -= _size(message)
        return message

    def _has_room(self) -> bool:
        return len(self._waiting) < MAX_WAITING and self._waiting_bytes < MAX_WAITING_BYTES

    def _read_on(self) -> None:
        if self._paused and self._has_room():
            self._paused = False
            self.socket.resume()

    async def _catch_up(self, asked: SyncRequest | Resync) -> None:
        first = self.state is State.WAITING
        vector = asked.vector if isinstance(asked, SyncRequest) else self._vector
        self.state, self._early, self._early_bytes = State.CATCHING_UP, [], 0
        joined = await self._editing.catch_up(self.document_id, self.id, vector)
        if self.state is not State.CATCHING_UP:  # closed meanwhile
            return
        if isinstance(asked, SyncRequest):
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

    async def _store(self, changes: list[Change], given: Pass) -> None:
        """Have changes stored, together, and say so."""
        for _ in changes:
            await self._service.wait_for_limit("collab:change", given, self.socket)
        if not await self._editing.may_write(self.document_id, self.id):
            for _ in changes:
                self._say(self.voice.taken(stored=False))
            return
        outcomes = await asyncio.gather(*map(self._submit, changes), return_exceptions=True)
        for change, outcome in zip(changes, outcomes, strict=True):
            # Perhaps one before it, which waited for something, came after it into the log.
            if not isinstance(outcome, UpdateGap):
                self._tell(change, outcome)
            else:
                self._tell(change, *await asyncio.gather(self._submit(change), return_exceptions=True))

    async def _submit(self, change: Change) -> None:
        await self._editing.change(self.document_id, self.id, change.update, is_answer=change.is_answer)

    def _tell(self, change: Change, error: BaseException | None) -> None:
        if error is None:
            again, self._owed = (self._owed, 0) if change.is_answer else (0, self._owed)
            for _ in range(1 + again):
                self._say(self.voice.taken(stored=True))
        elif isinstance(error, UpdateGap):
            self._owed += 1
            self.socket.send(self.voice.ask(error.details["stateVector"]))
        elif isinstance(error, Forbidden):
            self._say(self.voice.taken(stored=False))
        else:
            raise error

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
                self.socket.send(self.voice.ask(self._vector))

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
        self._waiting.clear()
        self._waiting_bytes = 0
        self._early, self._announcements = [], []
        self._service.audience.discard(self)
        self._editing.leave(self.document_id, self.id)
        self._read_on()


def _size(message: SyncRequest | Change | Resync) -> int:
    match message:
        case SyncRequest():
            return len(message.vector)
        case Change():
            return len(message.update)
    return 0
