"""Who changed a document, and when, for those who may change it themselves."""

from datetime import datetime, timedelta

from collab.history.model import INTERVAL_MS, Contribution
from collab.history.recorder import Contributions, ContributionStore
from collab.history.schema import ContributionView
from hub.kernel.events import Actor
from hub.kernel.pages import Page, PageQuery, decode_cursor, page
from hub.kernel.ports import Access
from hub.kernel.wire import Uuid

INTERVAL = timedelta(milliseconds=INTERVAL_MS)


class DocumentHistory:
    """Contributions as they are read. What this node has noted is in them; that of others within seconds."""

    def __init__(self, store: ContributionStore, contributions: Contributions, access: Access) -> None:
        self._store = store
        self._contributions = contributions
        self._access = access

    async def list(self, actor: Actor, document_id: str, query: PageQuery) -> Page[ContributionView]:
        """Contributions, newest first. Readers are not shown who works on a document: Raises Forbidden, NotFound."""
        await self._access.check(actor, "write", "document", document_id)
        after = decode_cursor(query.cursor, tuple[datetime, Uuid]) if query.cursor else None
        await self._contributions.flush()
        rows = await self._store.of_document(document_id, query.limit + 1, after)
        return page(rows, query.limit, _view, lambda row: (row.began_at, row.user_id))


def _view(contribution: Contribution) -> ContributionView:
    return ContributionView(
        user_id=contribution.user_id,
        began_at=contribution.began_at,
        ended_at=contribution.began_at + INTERVAL,
        changes=contribution.changes,
        bytes=contribution.bytes,
    )
