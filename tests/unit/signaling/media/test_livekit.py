"""LiveKit's tokens and webhooks."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from joserfc import jwt
from joserfc.jwk import OctKey

from hub.kernel.errors import Unavailable
from signaling.errors import CallEnded
from signaling.media.engine import EngineDown, Leg
from signaling.media.livekit import LEEWAY_S, TOKEN_S, BadWebhook, Event, LiveKit
from signaling.media.livekit_webhooks import BODY_BYTES, PATH, LiveKitWebhooks
from tests.support.clock import FrozenClock
from tests.support.livekit import API_KEY, API_SECRET, FakeLiveKit, running_livekit

NOW_S = 1_700_000_000
ROOM = "01JCALL"


def livekit(url: str = "http://127.0.0.1:1", *, secret: str = API_SECRET, clock: FrozenClock | None = None) -> LiveKit:
    frozen = clock or FrozenClock(NOW_S * 1000)
    return LiveKit(url=url, client_url="wss://media", api_key=API_KEY, api_secret=secret, clock=frozen)


async def test_a_token_is_of_one_person_for_one_room_and_some_minutes() -> None:
    way = await livekit().admit(ROOM, Leg("leg", "alice"))
    claims = jwt.decode(way.token, OctKey.import_key(API_SECRET), algorithms=["HS256"]).claims
    assert way.url == "wss://media"
    assert (claims["iss"], claims["sub"]) == (API_KEY, "alice")
    assert claims["exp"] == NOW_S + TOKEN_S
    assert claims["video"] == {"room": f"call:{ROOM}", "roomJoin": True, "canPublish": True, "canSubscribe": True}
    assert "roomAdmin" not in claims["video"]


def fake() -> FakeLiveKit:
    return FakeLiveKit(now_s=NOW_S)


def test_a_webhook_that_livekit_signed_is_read() -> None:
    body, signature = fake().webhook("participant_left", f"call:{ROOM}", "alice")
    assert livekit().webhook(body, signature) == Event("participant_left", ROOM, "alice")
    body, signature = fake().webhook("room_finished", f"call:{ROOM}")
    assert livekit().webhook(body, signature) == Event("room_finished", ROOM, "")


def test_a_webhook_about_a_room_that_is_no_call_says_nothing() -> None:
    assert livekit().webhook(*fake().webhook("room_finished", "elsewhere")) is None


def test_a_webhook_that_was_changed_signed_by_another_or_is_old_is_refused() -> None:
    body, signature = fake().webhook("participant_left", f"call:{ROOM}", "alice")
    late = FrozenClock((NOW_S + 300 + LEEWAY_S + 1) * 1000)
    other = fake().webhook("participant_left", f"call:{ROOM}", "alice", secret="x" * 40)
    own = jwt.encode({"alg": "HS256"}, {"iss": API_KEY, "exp": NOW_S + 60}, OctKey.import_key(API_SECRET))
    cases = [
        (livekit(), body.replace(b"alice", b"mallo"), signature),
        (livekit(), *other),
        (livekit(clock=late), body, signature),
        (livekit(), body, ""),
        (livekit(), body, own),  # a client's token, say, signs no body
        (livekit(secret="y" * 40), body, signature),
    ]
    for engine, content, authorization in cases:
        with pytest.raises(BadWebhook):
            engine.webhook(content, authorization)


async def test_wrong_credentials_are_an_engine_that_is_down() -> None:
    async with running_livekit() as running:
        engine = livekit(running.url, secret="z" * 40)
        with pytest.raises(EngineDown, match="401"):
            await engine.ensure_room(ROOM)
        await engine.aclose()


async def test_only_what_was_asked_for_is_muted() -> None:
    async with running_livekit() as running:
        engine = livekit(running.url)
        for user in ("alice", "bob"):
            running.join((await engine.admit(ROOM, Leg(user, user))).token, f"call:{ROOM}", "AUDIO", "VIDEO")
        await engine.mute(ROOM, "alice", "video", True)
        assert [one.muted for one in running.rooms[f"call:{ROOM}"].values()] == [{"TR_1"}, set()]
        await engine.aclose()


async def nobody_comes(call_id: str, user_id: str) -> None:
    pytest.fail(f"{user_id} comes to {call_id}")


async def test_who_comes_into_a_room_is_told_so_that_a_token_opens_no_call_that_was_left() -> None:
    came: list[tuple[str, str]] = []

    async def comes(call_id: str, user_id: str) -> None:
        came.append((call_id, user_id))

    async def ends(call_id: str) -> None:
        pytest.fail(f"{call_id} has ended")

    app = web.Application()
    LiveKitWebhooks(livekit(), ends, comes).add_routes(app)
    async with TestClient(TestServer(app)) as client:
        for kind in ("", "EGRESS"):  # what records a call for its operator is nobody's token
            body, signature = fake().webhook("participant_joined", f"call:{ROOM}", "alice", kind=kind)
            answer = await client.post(PATH, data=body, headers={"Authorization": signature})
            assert answer.status == 200
    assert came == [(ROOM, "alice")]


@pytest.mark.parametrize(
    ("event", "outcome", "status", "lost"),
    [
        ("room_finished", None, 200, [ROOM]),
        ("room_finished", Unavailable("later"), 503, [ROOM]),
        ("room_finished", CallEnded(), 200, [ROOM]),
        ("participant_left", None, 200, []),
    ],
)
async def test_a_room_that_livekit_has_ended_is_told_to_the_call(
    event: str, outcome: Exception | None, status: int, lost: list[str]
) -> None:
    told: list[str] = []

    async def heard(call_id: str) -> None:
        told.append(call_id)
        if outcome is not None:
            raise outcome

    app = web.Application()
    LiveKitWebhooks(livekit(), heard, nobody_comes).add_routes(app)
    async with TestClient(TestServer(app)) as client:
        body, signature = fake().webhook(event, f"call:{ROOM}", "alice")
        answer = await client.post(PATH, data=body, headers={"Authorization": signature})
        assert answer.status == status
        assert (await client.post(PATH, data=body, headers={"Authorization": "forged"})).status == 401
        assert (await client.post(PATH, data=b"x" * (BODY_BYTES + 1))).status == 413
    assert told == lost
