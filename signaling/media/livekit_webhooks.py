"""``POST /webhooks/livekit``: what LiveKit tells of its rooms. It signs them, so nobody else is heard."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from hub.kernel.errors import HubError, Unavailable
from signaling.media.livekit import BadWebhook, LiveKit

log = logging.getLogger(__name__)

PATH = "/webhooks/livekit"
BODY_BYTES = 64 * 1024
ROOM_FINISHED, PARTICIPANT_JOINED = "room_finished", "participant_joined"


class LiveKitWebhooks:
    """``lost`` has a call go on elsewhere whose room LiveKit has ended; one that is over it leaves alone.

    ``came`` is asked to put out who has come into a room and is not in its call, by call and user: a token is good for
    some minutes, and whoever left in that time has it still. Who has left a room is not acted on: the call knows by its
    own leases who is there.
    """

    def __init__(
        self,
        livekit: LiveKit,
        lost: Callable[[str], Awaitable[None]],
        came: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._livekit = livekit
        self._lost = lost
        self._came = came

    def add_routes(self, app: web.Application) -> None:
        """Serve the path."""
        app.router.add_post(PATH, self._take)

    async def _take(self, request: web.Request) -> web.Response:
        if (request.content_length or 0) > BODY_BYTES:
            return web.Response(status=413)
        body = await request.read()
        try:
            event = self._livekit.webhook(body, request.headers.get("Authorization", ""))
        except BadWebhook as error:
            log.info("a webhook was refused: %s", error)
            return web.Response(status=401)
        if event is not None:
            try:
                if event.kind == ROOM_FINISHED:
                    await self._lost(event.call_id)
                elif event.kind == PARTICIPANT_JOINED and event.user_id:
                    await self._came(event.call_id, event.user_id)
            except Unavailable:
                return web.Response(status=503)  # LiveKit sends it again
            except HubError as error:
                log.debug("call %s need not be moved: %s", event.call_id, error)
        return web.Response()
