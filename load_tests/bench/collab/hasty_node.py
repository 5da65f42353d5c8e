"""The control of ``bench collab --kill``: a node that acknowledges a tenth of a second before it commits.

Whoever judges it has to find that acknowledged updates are missing.
"""

import asyncio

from collab.commits import GroupCommit, Submission
from collab.document import Document
from collab.log import Row
from hub.cli import main

EARLY_S = 0.1

_append = GroupCommit._append


async def _acknowledge_and_append(commits: GroupCommit, batch: list[tuple[Document, list[Submission]]]) -> list[Row]:
    for _, submissions in batch:
        for submission in submissions:
            submission.place = "0-0"
    for _, submissions in batch:
        for submission in submissions:
            submission.batch.settle()
    await asyncio.sleep(EARLY_S)
    return await _append(commits, batch)


if __name__ == "__main__":
    GroupCommit._append = _acknowledge_and_append  # type: ignore[method-assign,assignment]
    main()
