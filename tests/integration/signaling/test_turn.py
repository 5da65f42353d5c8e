"""The credentials that the hub gives, and the configuration that it ships, with the real coturn."""

import asyncio
from collections.abc import Iterator

import pytest
from aioice import stun, turn
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCIceTransportPolicy

from hub.kernel import wire
from hub.kernel.clock import SystemClock
from hub.kernel.ids import UserId
from signaling.ice import Ice
from signaling.settings import IceSettings
from tests.support.clock import FrozenClock
from tests.support.coturn import SECRET, Coturn, running_coturn

LOOPBACK = ("--allow-loopback-peers", "--allowed-peer-ip=127.0.0.1")
"""Beside the shipped configuration, which relays to no such address: both ends of these tests are there."""
QUOTA = 12
"""``user-quota`` of the shipped configuration."""
ANSWER_S = 10
FORBIDDEN_ADDRESS = 403
WRONG_CREDENTIALS = 401
OVER_QUOTA = 486


@pytest.fixture(scope="module")
def coturn() -> Iterator[Coturn]:
    """Relays between the ends of a test."""
    with running_coturn(*LOOPBACK) as running:
        yield running


def servers_of(coturn: Coturn, *, user: str = "alice", secret: str = SECRET, now_ms: int | None = None) -> Ice:
    """What a hub that knows this coturn tells."""
    urls = (coturn.url("udp"), coturn.url("tcp"))
    clock = SystemClock() if now_ms is None else FrozenClock(now_ms)
    return Ice(IceSettings(turn_urls=urls, turn_secret=secret), clock)


async def relayed(coturn: Coturn, transport: str) -> str:
    """What comes back from the other end of a call that has nothing but the relay."""
    ends = [caller(coturn, user, transport) for user in ("alice", "bob")]
    one, other = ends
    echo: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    other.on("datachannel", lambda channel: channel.on("message", channel.send))
    channel = one.createDataChannel("talk")
    channel.on("open", lambda: channel.send("through the relay"))
    channel.on("message", echo.set_result)
    try:
        await one.setLocalDescription(await one.createOffer())
        assert {kind_of(line) for line in candidates(one)} == {"relay"}
        await other.setRemoteDescription(RTCSessionDescription(one.localDescription.sdp, "offer"))
        await other.setLocalDescription(await other.createAnswer())
        await one.setRemoteDescription(RTCSessionDescription(other.localDescription.sdp, "answer"))
        return await asyncio.wait_for(echo, ANSWER_S)
    finally:
        for end in ends:
            await end.close()


def caller(coturn: Coturn, user: str, transport: str) -> RTCPeerConnection:
    (told,) = wire.to_wire(servers_of(coturn).servers(UserId(user)))
    server = RTCIceServer(coturn.url(transport), told["username"], told["credential"])
    return RTCPeerConnection(RTCConfiguration([server], iceTransportPolicy=RTCIceTransportPolicy.RELAY))


def candidates(end: RTCPeerConnection) -> list[str]:
    return [line for line in end.localDescription.sdp.splitlines() if line.startswith("a=candidate:")]


def kind_of(candidate: str) -> str:
    return candidate.partition(" typ ")[2].split(maxsplit=1)[0]


async def allocate(coturn: Coturn, ice: Ice, user: str = "alice") -> turn.TurnTransport:
    """A place on the relay, as a caller asks for one. Raises stun.TransactionFailed with coturn's code."""
    (told,) = wire.to_wire(ice.servers(UserId(user)))
    transport, _ = await turn.create_turn_endpoint(
        asyncio.DatagramProtocol,
        server_addr=("127.0.0.1", coturn.port),
        username=told["username"],
        password=told["credential"],
        transport="udp",
    )
    return transport


async def refusal(coturn: Coturn, ice: Ice, user: str = "alice") -> int:
    with pytest.raises(stun.TransactionFailed) as refused:
        await allocate(coturn, ice, user)
    code: int = refused.value.response.attributes["ERROR-CODE"][0]
    return code


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_two_callers_who_have_only_the_relay_hear_each_other(coturn: Coturn, transport: str) -> None:
    assert await relayed(coturn, transport) == "through the relay"


async def test_a_credential_made_with_another_secret_is_refused(coturn: Coturn) -> None:
    assert await refusal(coturn, servers_of(coturn, secret="another")) == WRONG_CREDENTIALS


async def test_a_credential_that_has_run_out_is_refused(coturn: Coturn) -> None:
    an_hour_ago = SystemClock().now_ms() - 3_600_000
    assert await refusal(coturn, servers_of(coturn, now_ms=an_hour_ago)) == WRONG_CREDENTIALS


async def test_a_user_has_so_many_places_and_takes_none_of_anybody_else(coturn: Coturn) -> None:
    places = []
    try:
        # Credentials of different moments: the quota is the user's, not the credential's
        for second in range(QUOTA):
            ice = servers_of(coturn, now_ms=SystemClock().now_ms() + second * 1000)
            places.append(await allocate(coturn, ice, "carol"))
        assert await refusal(coturn, servers_of(coturn), "carol") == OVER_QUOTA
        places.append(await allocate(coturn, servers_of(coturn), "dave"))
    finally:
        for place in places:
            place.close()


@pytest.mark.parametrize(
    "inside", ["127.0.0.1", "10.0.0.1", "172.17.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"]
)
async def test_nothing_inside_is_reached_through_the_relay_as_shipped(shipped: Coturn, inside: str) -> None:
    place = await allocate(shipped, servers_of(shipped))
    try:
        with pytest.raises(stun.TransactionFailed) as refused:
            await inner_protocol(place).channel_bind(0x4000, (inside, 80))
        assert refused.value.response.attributes["ERROR-CODE"][0] == FORBIDDEN_ADDRESS
    finally:
        place.close()


@pytest.fixture(scope="module")
def shipped() -> Iterator[Coturn]:
    """The configuration as it is."""
    with running_coturn() as running:
        yield running


def inner_protocol(place: turn.TurnTransport) -> turn.TurnClientUdpProtocol:
    """aioice's client under the transport that it gives out, for the request that the transport makes when it sends."""
    protocol = vars(place)["_TurnTransport__inner_protocol"]
    assert isinstance(protocol, turn.TurnClientUdpProtocol)
    return protocol
