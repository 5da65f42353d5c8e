"""Doing what can be asked about the content of a document, as plain functions of bytes: a process beside the node runs
them.

Reading, comparing and writing documents holds the GIL for as long as it takes, and a document that somebody made for it
can make Yrs take for ever.
"""

from typing import Any

import msgspec

from collab.content import showing
from collab.content.changes import change_into
from collab.content.comparison import compare
from collab.content.jobs import Compare, Export, Format, Gather, Import, Job, Restore, Stored
from collab.content.markdown import to_markdown
from collab.content.markdown_reading import from_markdown
from collab.content.model import Content
from collab.content.plain_text import to_text
from collab.content.prosemirror import from_json
from collab.content.reading import read
from collab.document import Document
from collab.formats.v2 import v1_from_v2, v2_from_v1
from collab.log import Snapshot, unpack
from collab.state_vector import EMPTY
from collab.update import MAX_BYTES, parse


class Refusal(ValueError):
    """The job cannot be done with this content; the message says why."""


def run(job: Job) -> bytes:
    """Do it. Raises ValueError (Refusal, BadUpdate, TooDeep, NotWritable) if that is the content's fault."""
    match job:
        case Gather(stored):
            return gather(stored)
        case Export(stored, form):
            return export(gather(stored), form)
        case Compare(before, after):
            return msgspec.json.encode(compare(read(gather(before)), read(gather(after))))
        case Restore(present, wanted):
            return change_into(gather(present), read(gather(wanted))) or b""
        case Import():
            return _import(job)
    raise TypeError(f"{type(job).__name__} is no job")


def gather(stored: Stored) -> bytes:
    """One update v1 of everything. Updates are applied in causal order, or Yrs would lose some of them."""
    document = Document("")
    if stored.state is not None:
        document.load(Snapshot(0, stored.state, {}, len(stored.state)))
    document.apply_ready([update for row in stored.rows for update in unpack(row)])
    if document.early or not document.whole():
        raise Refusal("its log is not whole")
    return document.diff(EMPTY)


def export(state: bytes, form: Format) -> bytes:
    """A document in a format."""
    match form:
        case "yjs-v1":
            return state
        case "yjs-v2":
            return v2_from_v1(state)
        case "text":
            return to_text(read(state)).encode()
        case "markdown":
            return to_markdown(read(state)).encode()
    return msgspec.json.encode(showing.to_json(read(state)))


def _import(job: Import) -> bytes:
    if job.format in ("yjs-v1", "yjs-v2"):
        update = v1_from_v2(job.data) if job.format == "yjs-v2" else job.data
        parse(update)
        return update
    state = gather(job.present)
    update = change_into(state, _wanted(job), keep_others=True) or b""
    if len(update) > MAX_BYTES:
        raise Refusal(f"the change would have more than {MAX_BYTES} bytes")
    return update


def _wanted(job: Import) -> Content:
    if job.format == "json":
        try:
            roots: Any = msgspec.json.decode(job.data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Refusal(f"it is no JSON: {error}") from None
        return showing.from_json(roots)
    text = job.data.decode()
    if job.root == "text":
        return {"text": {"kind": "text", "delta": [{"insert": text}] if text else []}}
    if job.format == "markdown":
        return {job.root: from_json(from_markdown(text, job.editor))}
    lines = [[{"type": "text", "text": line}] if line else [] for line in text.split("\n")]
    return {job.root: from_json({"type": "doc", "content": [{"type": "paragraph", "content": line} for line in lines]})}
