"""A person who writes in a document with others."""

import itertools
import time
from typing import Any

from pycrdt import Awareness, Doc, Text

from load_tests.client.connection import Connection
from load_tests.gatherings import Document
from load_tests.measures.faults import EditsMissing, Fault, Refused
from load_tests.measures.stamp import Stamp
from load_tests.users.hub_user import HubUser, action

EMPTY_UPDATE = b"\x00\x00"
"""A Yjs update v1 without structs and deletions."""


class EditorUser(HubUser):
    """Writes stamps into a shared Yjs document, moves the cursor, and looks at the end whether its edits were kept.

    An edit is kept if the hub acknowledged it. The hub takes the rest at the next join, as any Yjs client gives it.
    """

    weight = 2
    every_s = 3.0

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._document: Document | None = None
        self._doc: Doc[Any] = Doc()
        self._text = self._doc.get("text", type=Text)
        self._awareness = Awareness(self._doc)
        self._acknowledged: list[str] = []
        self._edits, self._moves = itertools.count(1), itertools.count(1)

    @property
    def document(self) -> Document:
        """The document of the hub that this user edits with others of this worker."""
        if self._document is None:
            document = self.world.documents.enter(self._new_document)
            if document.owner is not self.account:
                member = {"userId": self.account.id, "role": "editor"}
                path = f"/documents/{document.id}/members"
                document.owner.post(path, member, name="/documents/{documentId}/members")
            self._document = document
        return self._document

    def join(self, connection: Connection) -> None:
        """Open the document: get what is new, give what the hub has not stored."""
        document_id = self.document.id
        given = {"documentId": document_id, "stateVector": self._doc.get_state()}
        joined = self.ask("collab:join", given, over=connection)
        self._doc.apply_update(joined["update"])
        self.document.present.add(self.number)
        missing = self._doc.get_update(joined["stateVector"])
        if missing != EMPTY_UPDATE:
            self.ask("collab:change", {"documentId": document_id, "update": missing}, over=connection)

    def part(self) -> None:
        """Nothing is owed to who is not there."""
        if self._document is not None:
            self._document.present.discard(self.number)

    def leave(self) -> None:
        """Make the place free."""
        if self._document is not None:
            self.world.documents.leave(self._document, self.number)

    @action(4)
    def edit(self, due_s: float) -> None:
        """Write at the beginning or at the end."""
        stamp = Stamp.of(self.number, next(self._edits), due_s)
        key = ("edit", stamp.sender, stamp.number)
        before = self._doc.get_state()
        self._text.insert(self.draw.choice((0, len(self._text))), str(stamp))
        with self.owing(key, "collab:update", self.document.others(self.number), due_s):
            self._change(self._doc.get_update(before), due_s)
        self._acknowledged.append(str(stamp))

    @action(2)
    def move_cursor(self, due_s: float) -> None:
        """Show the others where the cursor is."""
        stamp = Stamp.of(self.number, next(self._moves), due_s)
        self._awareness.set_local_state({"user": {"name": f"Editor {self.number}"}, "cursor": str(stamp)})
        update = self._awareness.encode_awareness_update([self._doc.client_id])
        key = ("cursor", stamp.sender, stamp.number)
        with self.owing(key, "collab:awareness", self.document.others(self.number), due_s, may_be_lost=True):
            self.ask("collab:awareness", {"documentId": self.document.id, "update": update}, due_s=due_s)

    def came(self, event: str, payload: Any) -> None:
        """Somebody else's edit or cursor."""
        if event == "collab:update":
            self._doc.apply_update(payload["update"])
            for stamp in Stamp.all_in(payload["update"]):
                self.receipt(("edit", stamp.sender, stamp.number), event, stamped_s=stamp.due_s)
        elif event == "collab:awareness":
            for stamp in Stamp.all_in(payload["update"]):
                self.receipt(("cursor", stamp.sender, stamp.number), event, stamped_s=stamp.due_s)

    def farewell(self) -> None:
        """Read the whole document from the hub, and look for every edit that it had acknowledged."""
        since_s = time.monotonic()
        try:
            whole = self.ask("collab:join", {"documentId": self.document.id})
        except Fault:
            return  # reported
        stored: Doc[Any] = Doc()
        stored.apply_update(whole["update"])
        there = {str(stamp) for stamp in Stamp.all_in(str(stored.get("text", type=Text)))}
        fault = None if there.issuperset(self._acknowledged) else EditsMissing()
        self.world.report.sample("check", "acknowledged edits", time.monotonic() - since_s, fault)

    def _change(self, update: bytes, due_s: float) -> None:
        document_id = self.document.id
        try:
            self.ask("collab:change", {"documentId": document_id, "update": update}, due_s=due_s)
        except Refused as refusal:
            if refusal.code != "update_gap":
                raise
            missing = self._doc.get_update(refusal.details["stateVector"])
            self.ask("collab:change", {"documentId": document_id, "update": missing})

    def _new_document(self) -> Document:
        created = self.account.post("/documents", {"title": "Load"})
        return Document(id=created["id"], owner=self.account)
