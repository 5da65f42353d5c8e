"""The REST side of calls."""

from hub.kernel.events import Actor
from hub.kernel.http import RestApi
from signaling.ice import Ice
from signaling.schema import IceServers


def call_api(ice: Ice) -> RestApi:
    """``GET /realtime/ice-servers``."""

    async def ice_servers(actor: Actor) -> IceServers:
        """STUN and TURN servers, with credentials of the caller's own that last some minutes, and the policy."""
        paths = ice.paths(actor.user_id)
        return IceServers(ice_servers=paths.servers, ice_transport_policy=paths.policy)

    api = RestApi("realtime")
    api.get("/realtime/ice-servers", ice_servers)
    return api
