"""LiveKit as an engine: tokens for clients, moderation over its HTTP interface, and its webhooks.

Clients connect to LiveKit by themselves, with a token that names room and person and lasts some minutes. LiveKit makes
the room when the first comes, and one room lives on one of its nodes.
Sources: docs.livekit.io, "Authentication", "Server APIs" (Twirp, JSON), "Webhooks".
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import aiohttp
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from hub.kernel.clock import Clock
from hub.kernel.ids import RoomName
from signaling.media.engine import EngineDown, Kind, Leg, Stream, Way

TOKEN_S = 600
"""Life of a client's token. It is looked at when the client connects; LiveKit renews it for those who are connected."""
OWN_TOKEN_S = 60
ANSWER_S = 5.0
EMPTY_S = 300
"""How long LiveKit keeps a room that nobody is in; the hub closes it when the call ends."""
LEEWAY_S = 60
"""How much the clocks of LiveKit and of the hub may differ."""
NOT_FOUND = 404
_ROOM_PREFIX = "call:"
_KINDS: Mapping[str, Kind] = {"AUDIO": "audio", "VIDEO": "video"}


class BadWebhook(ValueError):
    """A webhook that does not come from our LiveKit, or cannot be read."""


class Event(NamedTuple):
    """What a webhook tells of a call."""

    kind: str
    """As LiveKit calls it: ``participant_left``, ``room_finished``, …"""
    call_id: str
    user_id: str
    """Empty where it is about the room, or about what is no person."""


class _Track(msgspec.Struct, frozen=True):
    sid: str
    type: str = "AUDIO"
    """LiveKit leaves out what is the default of its protocol."""


class _Participant(msgspec.Struct, frozen=True):
    identity: str = ""
    kind: str = "STANDARD"
    """Others are no people: what records a room for its operator (``EGRESS``), or speaks in it (``AGENT``, ``SIP``)."""
    tracks: tuple[_Track, ...] = ()


class _Participants(msgspec.Struct):
    participants: list[_Participant] = []


class _Room(msgspec.Struct, frozen=True):
    name: str = ""


class _Webhook(msgspec.Struct):
    event: str
    room: _Room = _Room()
    participant: _Participant = _Participant()


class LiveKit:
    """Implements signaling.media.engine.MediaEngine. A room is ``call:{id}`` there, an identity is a user's id."""

    name: Literal["livekit"] = "livekit"

    def __init__(self, *, url: str, client_url: str, api_key: str, api_secret: str, clock: Clock) -> None:
        """``url`` is LiveKit's for us (http), ``client_url`` for clients (ws)."""
        self._url = url.rstrip("/")
        self._client_url = client_url
        self._api_key = api_key
        self._key = OctKey.import_key(api_secret)
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the connections. Idempotent."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def ensure_room(self, room: str) -> None:
        """See MediaEngine."""
        await self._ask("CreateRoom", {"name": _name(room), "emptyTimeout": EMPTY_S}, {"roomCreate": True})

    async def admit(self, room: str, leg: Leg) -> Way:
        """See MediaEngine. Whoever comes again under the same identity puts the earlier connection out."""
        grants = {"room": _name(room), "roomJoin": True, "canPublish": True, "canSubscribe": True}
        token = self._token(grants, TOKEN_S, sub=leg.user_id, attributes={"callId": room, "leg": leg.id})
        return Way(self._client_url, token)

    async def offer(self, room: str, leg: Leg, sdp: str) -> None:
        """Clients signal to LiveKit itself."""

    async def mute(self, room: str, user_id: str, kind: Kind, muted: bool) -> None:
        """See MediaEngine. What is muted can be opened again only where LiveKit's settings allow it."""
        for participant in await self._participants(room):
            for track in participant.tracks if participant.identity == user_id else ():
                if _KINDS.get(track.type) == kind:
                    asked = {"room": _name(room), "identity": user_id, "trackSid": track.sid, "muted": muted}
                    await self._ask("MutePublishedTrack", asked, self._admin(room))

    async def remove(self, room: str, leg: Leg) -> None:
        """See MediaEngine."""
        asked = {"room": _name(room), "identity": leg.user_id}
        await self._ask("RemoveParticipant", asked, self._admin(room))

    async def close(self, room: str) -> None:
        """See MediaEngine."""
        await self._ask("DeleteRoom", {"room": _name(room)}, {"roomCreate": True})

    async def streams(self, room: str) -> Sequence[Stream]:
        """See MediaEngine."""
        return [
            Stream(track.sid, participant.identity, _KINDS[track.type])
            for participant in await self._participants(room)
            for track in participant.tracks
            if track.type in _KINDS
        ]

    def webhook(self, body: bytes, authorization: str) -> Event | None:
        """What a webhook says; None if it is about no call. Raises BadWebhook for one that LiveKit has not signed."""
        try:
            token = jwt.decode(authorization, self._key, algorithms=["HS256"])
            claims = jwt.JWTClaimsRegistry(
                now=self._clock.now_ms() // 1000,
                leeway=LEEWAY_S,
                iss={"essential": True, "value": self._api_key},
                exp={"essential": True},
            )
            claims.validate(token.claims)
        except (JoseError, ValueError) as error:
            raise BadWebhook("The signature of the webhook is not LiveKit's.") from error
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if not hmac.compare_digest(str(token.claims.get("sha256", "")), digest):
            raise BadWebhook("The webhook is not what was signed.")
        try:
            said = msgspec.json.decode(body, type=_Webhook)
        except msgspec.DecodeError as error:
            raise BadWebhook("The webhook cannot be read.") from error
        if not said.room.name.startswith(_ROOM_PREFIX):
            return None
        person = said.participant.identity if said.participant.kind == "STANDARD" else ""
        return Event(said.event, said.room.name.removeprefix(_ROOM_PREFIX), person)

    async def _participants(self, room: str) -> list[_Participant]:
        said = await self._ask("ListParticipants", {"room": _name(room)}, self._admin(room))
        return [] if said is None else msgspec.json.decode(said, type=_Participants).participants

    async def _ask(self, method: str, message: Mapping[str, Any], grants: Mapping[str, Any]) -> bytes | None:
        """One call of its RoomService; None for what is not there. Raises EngineDown."""
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER_S))
        headers = {"Authorization": f"Bearer {self._token(grants, OWN_TOKEN_S)}"}
        try:
            async with self._http.post(
                f"{self._url}/twirp/livekit.RoomService/{method}", json=message, headers=headers
            ) as response:
                status, said = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EngineDown("LiveKit does not answer.") from error
        if status == NOT_FOUND:
            return None
        if status >= 400:
            raise EngineDown(f"LiveKit answers {method} with {status}.")
        return said

    def _admin(self, room: str) -> dict[str, Any]:
        return {"room": _name(room), "roomAdmin": True}

    def _token(self, grants: Mapping[str, Any], life_s: int, **claims: Any) -> str:
        now_s = self._clock.now_ms() // 1000
        more = {"iss": self._api_key, "nbf": now_s - LEEWAY_S, "exp": now_s + life_s, "video": dict(grants)}
        return jwt.encode({"alg": "HS256", "typ": "JWT"}, {**more, **claims}, self._key)


def _name(room: str) -> str:
    return RoomName(f"{_ROOM_PREFIX}{room}")
