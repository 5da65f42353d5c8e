"""REST of presence."""

from hub.kernel import wire
from hub.kernel.events import Actor
from hub.kernel.http import RestApi
from hub.kernel.wire import Wire
from presence.schema import PresenceQuery, Presences, UserIds, Users
from presence.watching import Watching


class _Ids(Wire):
    """The query taken apart, so that a violation names the id in question."""

    ids: UserIds


def presence_api(watching: Watching) -> RestApi:
    """``GET /presence?ids=a,b``."""
    api = RestApi("realtime")

    async def read_presence(actor: Actor, query: PresenceQuery) -> Presences:
        """Who of these users is there."""
        asked = wire.decode({"ids": query.ids.split(",")}, _Ids)
        return await watching.get(actor, Users(user_ids=asked.ids))

    api.get("/presence", read_presence)
    return api
