"""A LiveKit of our own, as far as the hub uses one: its RoomService over Twirp, its tokens, its webhooks.

The real one cannot be built here. What this one does is what docs.livekit.io says, in its words and codes.
"""

import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import OctKey

API_KEY = "APIhub"
API_SECRET = "a secret of more than thirty-two characters"


@dataclass
class Participant:
    """Somebody in a room, with tracks by sid: their types and whether they are muted."""

    tracks: dict[str, str] = field(default_factory=dict)
    muted: set[str] = field(default_factory=set)


@dataclass
class FakeLiveKit:
    """Its state."""

    url: str = ""
    rooms: dict[str, dict[str, Participant]] = field(default_factory=dict)
    now_s: int = 0
    """Its clock. 0: tokens do not run out."""

    def join(self, token: str, room: str, *types: str) -> None:
        """A client connects with a token, and publishes tracks. Raises PermissionError as LiveKit refuses."""
        claims = self._claims(token)
        grants = claims["video"]
        if not grants.get("roomJoin") or grants.get("room") != room:
            raise PermissionError("permissions denied")
        tracks = {f"TR_{number}": kind for number, kind in enumerate(types)}
        self.rooms.setdefault(room, {})[claims["sub"]] = Participant(tracks)

    def webhook(
        self, event: str, room: str, identity: str = "", *, secret: str = API_SECRET, kind: str = ""
    ) -> tuple[bytes, str]:
        """A webhook as it would send one: body and Authorization. ``kind`` is left out of people, as it is there."""
        said: dict[str, Any] = {"event": event, "room": {"name": room, "sid": "RM_1"}, "id": "EV_1", "createdAt": "1"}
        if identity:
            said["participant"] = {"identity": identity, "sid": "PA_1", **({"kind": kind} if kind else {})}
        body = msgspec.json.encode(said)
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        claims = {"iss": API_KEY, "sha256": digest, "nbf": self.now_s - 10, "exp": self.now_s + 300}
        return body, jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret))

    def _claims(self, token: str) -> dict[str, Any]:
        claims = jwt.decode(token, OctKey.import_key(API_SECRET), algorithms=["HS256"]).claims
        if claims["iss"] != API_KEY or (self.now_s and claims["exp"] < self.now_s):
            raise PermissionError("invalid token")
        return dict(claims)

    async def answer(self, request: web.Request) -> web.Response:
        """A call of RoomService."""
        method = request.match_info["method"]
        try:
            grants = self._claims(request.headers.get("Authorization", "").removeprefix("Bearer "))["video"]
        except Exception:
            return web.json_response({"code": "unauthenticated", "msg": "invalid token"}, status=401)
        asked = await request.json()
        makes = method in ("CreateRoom", "DeleteRoom")
        name = asked["name" if method == "CreateRoom" else "room"]
        if not (grants.get("roomCreate") if makes else grants.get("roomAdmin") and grants.get("room") == name):
            return web.json_response({"code": "permission_denied", "msg": "permissions denied"}, status=403)
        if method == "CreateRoom":
            self.rooms.setdefault(name, {})
            return web.json_response({"name": name, "sid": "RM_1"})
        room = self.rooms.get(name)
        if room is None:
            return web.json_response({"code": "not_found", "msg": "requested room does not exist"}, status=404)
        return self._in_room(method, asked, name, room)

    def _in_room(self, method: str, asked: dict[str, Any], name: str, room: dict[str, Participant]) -> web.Response:
        missing = web.json_response({"code": "not_found", "msg": "participant does not exist"}, status=404)
        match method:
            case "DeleteRoom":
                del self.rooms[name]
            case "ListParticipants":
                listed = [
                    {
                        "identity": identity,
                        # Twirp's JSON leaves out what is the default: AUDIO, and false.
                        "tracks": [
                            {"sid": sid} | ({} if kind == "AUDIO" else {"type": kind})
                            for sid, kind in one.tracks.items()
                        ],
                    }
                    for identity, one in room.items()
                ]
                return web.json_response({"participants": listed})
            case "RemoveParticipant":
                if room.pop(asked["identity"], None) is None:
                    return missing
            case "MutePublishedTrack":
                participant = room.get(asked["identity"])
                if participant is None or asked["trackSid"] not in participant.tracks:
                    return missing
                (participant.muted.add if asked["muted"] else participant.muted.discard)(asked["trackSid"])
            case _:
                return web.json_response({"code": "bad_route", "msg": f"no handler for {method}"}, status=404)
        return web.json_response({})


@contextlib.asynccontextmanager
async def running_livekit() -> AsyncIterator[FakeLiveKit]:
    """Have one on a free port."""
    fake = FakeLiveKit()
    app = web.Application()
    app.router.add_post("/twirp/livekit.RoomService/{method}", fake.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = "http://127.0.0.1:{}".format(*runner.addresses[0][1:2])
    yield fake
    await runner.cleanup()
