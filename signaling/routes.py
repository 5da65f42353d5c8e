"""The REST side of calls."""

from hub.kernel.events import Actor
from hub.kernel.http import RestApi
from signaling.ice import Ice
from signaling.schema import IceServers


def call_api(ice: Ice) -> RestApi:
    """``GET /realtime/ice-servers``."""

    async def ice_servers(actor: Actor) -> IceServers:
        """STUN and TURN servers, with credentials of the caller's own that last some minutes."""
        return IceServers(ice_servers=ice.servers(actor.user_id))

    api = RestApi("realtime")
    api.get("/realtime/ice-servers", ice_servers)
    return api
