"""The commands of a media server, over HTTP. For nodes alone: each shows the key of the server's lease."""

import hmac
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from signaling.media.embedded import wire
from signaling.media.embedded.offer import BadOffer
from signaling.media.embedded.server import CannotRecord, Full, MediaServer, NoSuchRoom

BODY_BYTES = 256 * 1024
"""An offer has 64 KB at most on the wire of clients, and JSON may double it."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")


def application(server: MediaServer, key: Callable[[], str]) -> web.Application:
    """The application. ``key`` gives what a node has to show at this moment."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/health/ready":
            return web.Response(text="ready")
        expected = f"Bearer {key()}".encode()
        given = request.headers.get(wire.KEY, "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, expected):
            return _json(wire.Refused("Not the key of this server."), 401)
        try:
            return await handler(request)
        except NoSuchRoom as error:
            return _json(wire.Refused(str(error)), 404)
        except (BadOffer, CannotRecord, msgspec.ValidationError, msgspec.DecodeError) as error:
            return _json(wire.Refused(str(error)), 422)
        except Full as error:
            return _json(wire.Refused(str(error)), 503)

    async def offer(request: web.Request) -> web.Response:
        offered = await _read(request, wire.Offered)
        room = request.match_info["room"]
        server.ensure_room(room, echo=offered.echo)
        return _json(wire.Answered(await server.answer(room, request.match_info["leg"], offered.user_id, offered.sdp)))

    async def remove(request: web.Request) -> web.Response:
        await server.remove(request.match_info["room"], request.match_info["leg"])
        return web.Response(status=204)

    async def close(request: web.Request) -> web.Response:
        await server.close_room(request.match_info["room"])
        return web.Response(status=204)

    async def mute(request: web.Request) -> web.Response:
        muted = await _read(request, wire.Muted)
        server.mute(request.match_info["room"], muted.user_id, muted.kind, muted.muted)
        return web.Response(status=204)

    async def record(request: web.Request) -> web.Response:
        recorded = await _read(request, wire.Recorded)
        server.record(request.match_info["room"], recorded.on)
        return web.Response(status=204)

    async def streams(request: web.Request) -> web.Response:
        listed = [wire.Published(*one) for one in server.streams(request.match_info["room"])]
        return _json(wire.Streams(listed))

    async def quality(request: web.Request) -> web.Response:
        return _json(wire.Measured(*server.quality(request.match_info["room"], request.match_info["leg"])))

    async def ready(request: web.Request) -> web.Response:
        raise web.HTTPNotFound  # answered before

    app = web.Application(middlewares=[admit], client_max_size=BODY_BYTES)
    app.router.add_get("/health/ready", ready)
    app.router.add_get("/rooms/{room}", streams)
    app.router.add_delete("/rooms/{room}", close)
    app.router.add_put("/rooms/{room}/mutes", mute)
    app.router.add_put("/rooms/{room}/recording", record)
    app.router.add_post("/rooms/{room}/legs/{leg}", offer)
    app.router.add_delete("/rooms/{room}/legs/{leg}", remove)
    app.router.add_get("/rooms/{room}/legs/{leg}/quality", quality)
    return app


async def _read(request: web.Request, shape: type[T]) -> T:
    return msgspec.json.decode(await request.read(), type=shape)


def _json(message: msgspec.Struct, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(message), status=status, content_type="application/json")
