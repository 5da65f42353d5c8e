"""Real peer connections for callers: aiortc, whose loop runs in one greenlet beside those of the users.

Each has a data channel, on which the caller says something and the callee says it again.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import aioice.ice
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from load_tests.measures.faults import Unheard

LOOPBACK = "127.0.0.1"
SAID = "hello"
T = TypeVar("T")


class PeerConnections:
    """Of one worker. Begins with the first that is made. With ``only_loopback`` nothing leaves the machine."""

    def __init__(self, *, only_loopback: bool) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        if only_loopback:
            aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [LOOPBACK]

    def make(self) -> "PeerConnection":
        """A new one."""
        return PeerConnection(self._loop)


class PeerConnection:
    """One side of a call. Its methods wait for the loop, for ``within_s`` at most, and raise Unheard after that."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._connection: RTCPeerConnection | None = None
        self._echoed: Future[None] = Future()

    def offer(self, within_s: float) -> str:
        """The caller's description, with all candidates in it: aiortc does not trickle."""
        return self._run(self._offer(), within_s)

    def answer(self, offer: str, within_s: float) -> str:
        """The callee's description. From here on it says again what the caller says."""
        return self._run(self._answer(offer), within_s)

    def connect(self, answer: str, within_s: float) -> None:
        """Take the answer, and return when the callee has said again what was said to them."""
        self._run(self._open().setRemoteDescription(RTCSessionDescription(answer, "answer")), within_s)
        try:
            self._echoed.result(within_s)
        except TimeoutError:
            raise Unheard(within_s) from None

    def close(self) -> None:
        """End it. Does not wait. Idempotent."""
        if self._connection is not None:
            asyncio.run_coroutine_threadsafe(self._connection.close(), self._loop)

    async def _offer(self) -> str:
        connection = self._open()
        channel = connection.createDataChannel("echo")
        channel.on("open", lambda: channel.send(SAID))
        channel.on("message", self._heard)
        await connection.setLocalDescription(await connection.createOffer())
        return str(connection.localDescription.sdp)

    async def _answer(self, offer: str) -> str:
        connection = self._open()
        connection.on("datachannel", _echo)
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        return str(connection.localDescription.sdp)

    def _open(self) -> RTCPeerConnection:
        if self._connection is None:
            self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))  # else a public STUN server is asked
        return self._connection

    def _heard(self, message: object) -> None:
        if message == SAID and not self._echoed.done():
            self._echoed.set_result(None)

    def _run(self, work: Coroutine[Any, Any, T], within_s: float) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(within_s)
        except TimeoutError:
            raise Unheard(within_s) from None


def _echo(channel: RTCDataChannel) -> None:
    channel.on("message", channel.send)
