"""The REST side of calls."""

from datetime import datetime

from msgspec import UNSET

from hub.kernel.errors import NotFound
from hub.kernel.events import Actor
from hub.kernel.http import RestApi
from hub.kernel.pages import Page, PageQuery, decode_cursor, page
from hub.kernel.wire import Ulid
from signaling.history import Before, CallHistory, PastCall
from signaling.ice import Ice
from signaling.schema import CallRecord, IceServers, PastMember


def call_api(ice: Ice, history: CallHistory) -> RestApi:
    """``GET /realtime/ice-servers`` and ``/calls``."""

    async def ice_servers(actor: Actor) -> IceServers:
        """STUN and TURN servers, with credentials of the caller's own that last some minutes, and the policy."""
        paths = ice.paths(actor.user_id)
        return IceServers(ice_servers=paths.servers, ice_transport_policy=paths.policy)

    async def list_calls(query: PageQuery, actor: Actor) -> Page[CallRecord]:
        """One's calls that are over, latest first."""
        before = None if query.cursor is None else Before(*decode_cursor(query.cursor, tuple[datetime, str]))
        found = await history.page(actor.user_id, before, query.limit + 1)
        return page(found, query.limit, lambda past: _record(past, actor), lambda past: (past.started_at, past.call_id))

    async def get_call(call_id: Ulid, actor: Actor) -> CallRecord:
        """One of one's calls that are over."""
        past = await history.call(actor.user_id, call_id)
        if past is None:
            raise NotFound
        return _record(past, actor)

    api = RestApi("realtime")
    api.get("/realtime/ice-servers", ice_servers)
    api.get("/calls", list_calls)
    api.get("/calls/{callId}", get_call)
    return api


def _record(past: PastCall, viewer: Actor) -> CallRecord:
    return CallRecord(
        call_id=past.call_id,
        type=past.type,
        direction="outgoing" if past.initiator == viewer.user_id else "incoming",
        initiator=past.initiator,
        group=past.group,
        members=[PastMember(user_id=one.user_id, state=one.answer.value) for one in past.members],
        started_at=past.started_at,
        answered_at=past.answered_at or UNSET,
        ended_at=past.ended_at,
        reason=past.reason,
        missed=past.missed_by(viewer.user_id),
    )
