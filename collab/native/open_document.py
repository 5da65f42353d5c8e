"""One document that an editor has open over a WebSocket, whatever it speaks: see collab.native.state."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from collab.editing import Editing
from collab.hot import Shown
from collab.native import close_codes
from collab.native.cursors import Cursors
from collab.native.intake import Intake
from collab.native.state import State
from collab.native.storing import Storing
from collab.native.sync import Change, SyncRequest
from collab.tokens import Pass
from hub.kernel.errors import HubError
from hub.kernel.framed import FramedSocket

if TYPE_CHECKING:
    from collab.native.service import NativeEditing
    from collab.native.voice import Voice

log = logging.getLogger(__name__)

MAX_EARLY_BYTES: Final = 1 << 20
"""Of changes that are committed while a client catches up; with more, it has to do so once more."""


class Resync:
    """The client has read everything and is behind."""


Message = SyncRequest | Change | Resync


class OpenDocument:
    """Implements collab.participants.Editor. What its client sends is taken in the order it came."""

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
        self.editing: Editing = service.editing
        self._service = service
        self._pass: Pass | None = None
        self.is_open = False
        """Whether changes and cursors of the client can be taken."""
        self._may_write = False
        self._vector = b""
        """What the client has been sent, at least."""
        self._early: list[bytes] = []
        self._early_bytes = 0
        self._waiting: deque[Message] = deque()
        self._intake = intake
        self._working = False
        self._storing = Storing(self, self._leaves)
        self.cursors = Cursors(self)

    # ---------------------------------------------------------------- what the client says

    def admit(self, given: Pass) -> None:
        """The client may open it, as far as its pass says; what it has said so far is looked at now."""
        self._pass = given
        self._work_soon()

    def take(self, message: SyncRequest | Change) -> None:
        """A sync message."""
        if self.state is not State.CLOSED:
            self._waiting.append(message)
            self._intake.add(message)
            self._work_soon()

    # ---------------------------------------------------------------- doing it, one after the other

    def _work_soon(self) -> None:
        if self._pass is not None and not self._working and self.state is not State.CLOSED:
            self._working = True
            asyncio.get_running_loop().call_soon(self._work_at_once, self._pass)

    def _work_at_once(self, given: Pass) -> None:
        """Take what came in one read of the socket together; whatever has to wait goes on in a task."""
        try:
            while self.is_open and self._has_work:
                changes = self._changes()
                taken = self._storing.at_once(changes)
                for _ in range(taken):
                    self._waiting.popleft()
                if not changes or taken < len(changes):
                    break
        except Exception as error:
            self.fail(error)
        if self.state is not State.CLOSED and (self._has_work or not self.is_open):
            self._service.tasks.start(self._work(given), name="messages of an editor")
        else:
            self._working = False

    @property
    def _has_work(self) -> bool:
        return bool(self._waiting) and self.state is not State.CLOSED and not self.socket.full

    def _changes(self) -> list[Change]:
        """Those that wait before anything else does."""
        changes = []
        for message in self._waiting:
            if not isinstance(message, Change):
                break
            changes.append(message)
        return changes

    async def _work(self, given: Pass) -> None:
        try:
            if not self.is_open:
                await self._open(given)
            while self._has_work:
                if isinstance(first := self._waiting[0], Change):
                    changes = self._changes()
                    for _ in changes:
                        self._waiting.popleft()
                    await self._storing.store(changes)
                else:
                    self._waiting.popleft()
                    self._leaves(first)
                    await self._catch_up(first)
        except Exception as error:
            self.fail(error)
        finally:
            self._working = False

    async def _open(self, given: Pass) -> None:
        self._service.audience.add(self)
        opened = await self.editing.open(
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
            self.editing.leave(self.document_id, self.id)
            return
        self.is_open, self._may_write = True, opened.may_write
        self._say(self.voice.opened(may_write=opened.may_write))
        self.cursors.opened()

    def _leaves(self, message: Message) -> None:
        """It waits no more."""
        if not isinstance(message, Resync):
            self._intake.remove(message)

    def wait(self, event: str, *, count: int = 1) -> float:
        """Take so many from the client's allowance; gives 0, or the seconds until there are so many, and takes none."""
        return self._service.wait(event, self._pass, self.socket, count=count)

    async def allowed(self, event: str, given: Pass | None = None) -> None:
        """Return as soon as the client may do that, or is gone: who is too fast is slowed down."""
        given = given or self._pass
        wait_s = self._service.wait(event, given, self.socket)
        while wait_s and self.is_here:
            await asyncio.sleep(wait_s)
            wait_s = self._service.wait(event, given, self.socket)

    async def _catch_up(self, asked: SyncRequest | Resync) -> None:
        first = self.state is State.WAITING
        if isinstance(asked, SyncRequest):
            await self._storing.settled()  # what is confirmed later counts anew for the client
            if not first:  # the first belongs to the opening, which was counted
                await self.allowed("collab:join")
            if self.state is State.CLOSED:
                return
        vector = asked.vector if isinstance(asked, SyncRequest) else self._vector
        self.state, self._early, self._early_bytes = State.CATCHING_UP, [], 0
        joined = await self.editing.catch_up(self.document_id, self.id, vector)
        if self.state is not State.CATCHING_UP:  # closed meanwhile
            return
        if isinstance(asked, SyncRequest):
            self._storing.client_asks(with_question=self._may_write)
            for message in self.voice.answer(asked, joined.update, joined.vector, may_write=self._may_write):
                self.socket.send(message)
        else:
            self.socket.send(self.voice.update(joined.update))
        self._vector = joined.vector
        if first or isinstance(asked, Resync):
            self.cursors.show()
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

    def _say(self, message: bytes | None) -> None:
        if message is not None:
            self.socket.send(message)

    # ---------------------------------------------------------------- what the hub says

    def shows(self, changes: Sequence[Shown]) -> bool:
        """Whether changes are to be sent now; if not, they are kept for later, or contained in what is sent then."""
        if self.state is State.CATCHING_UP:
            for update, _ in changes:
                if self._early_bytes <= MAX_EARLY_BYTES:
                    self._early.append(update)
                    self._early_bytes += len(update)
        return self.state is State.LIVE

    def filled(self) -> None:
        """The client does not read."""
        if self.state is State.LIVE:
            self.state = State.BEHIND
            self._vector = self.editing.shown(self.document_id) or self._vector

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
        """See collab.participants.Editor."""
        return self.state is not State.CLOSED

    async def access_changed(self, may_write: bool) -> None:
        """See collab.participants.Editor."""
        self._may_write = may_write
        if self.is_open:
            self._say(self.voice.access(may_write=may_write))
            if may_write and self.state is not State.WAITING:  # for what it could not send until now
                self._storing.ask(self._vector)

    async def put_out(self) -> None:
        """See collab.participants.Editor."""
        self.end(close_codes.FORBIDDEN, "the document is not yours to see any more")

    def fail(self, error: Exception) -> None:
        """Close it for the client, with what the error means to it."""
        known = self._service.as_hub_error(error)
        if known is None:
            log.error("an editor's messages could not be handled", exc_info=error)
        self.end(close_codes.of(known), (known or HubError()).message)

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
            self._leaves(self._waiting.popleft())
        self._early = []
        self.cursors.closed()
        self._service.audience.discard(self)
        self.editing.leave(self.document_id, self.id)
