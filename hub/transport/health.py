"""Health and metrics of a node, at the root of its ports."""

import asyncio
import hmac
import logging
from collections.abc import Sequence
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from hub.kernel.ids import NodeId
from hub.kernel.ports import Probe
from hub.transport.problems import problem

log = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 2.0
PEER_TIMEOUT_S = 3.0
LOOPBACK = frozenset({"127.0.0.1", "::1"})


class Health:
    """Answers ``/health/live``, ``/health/ready`` and ``/metrics``.

    On a node's own port readiness is the node's own. On the port that nodes share it speaks for all of them: ready only
    if every node answers so, since whoever asks there cannot choose the node that serves him.
    """

    def __init__(
        self,
        node_id: NodeId,
        probes: Sequence[Probe],
        *,
        peer_ports: Sequence[int],
        metrics_token: str | None,
    ) -> None:
        self._node_id = node_id
        self._probes = probes
        self._peer_ports = peer_ports
        self._metrics_token = metrics_token
        self.shared_port = 0
        self.own_port = 0
        self.started = False
        """Not ready before everything has started."""
        self.draining = False
        """Not ready on shutdown, while what is under way is finished."""

    def add_routes(self, app: web.Application) -> None:
        """Serve the three addresses."""
        app.router.add_get("/health/live", self._live)
        app.router.add_get("/health/ready", self._ready)
        app.router.add_get("/metrics", self._metrics)

    async def report(self) -> dict[str, Any]:
        """This node's state: ``{nodeId, ready, checks: {name: "ok" | reason}}``."""
        checks = dict(await asyncio.gather(*(self._check(probe) for probe in self._probes)))
        if not self.started:
            checks["node"] = "still starting"
        if self.draining:
            checks["node"] = "shutting down"
        ready = all(outcome == "ok" for outcome in checks.values())
        return {"nodeId": self._node_id, "port": self.own_port, "ready": ready, "checks": checks}

    async def has_ready_peer(self) -> bool:
        """Whether another node on the shared port is ready."""
        return any(node["ready"] for node in await self._ask_peers())

    async def _check(self, probe: Probe) -> tuple[str, str]:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await probe.check()
        except TimeoutError:
            return probe.name, f"no answer within {CHECK_TIMEOUT_S:.0f} s"
        except Exception as error:  # whatever it is, the answer is "not ready"
            log.debug("probe %s failed", probe.name, exc_info=True)
            return probe.name, type(error).__name__
        return probe.name, "ok"

    async def _live(self, _request: web.Request) -> web.Response:
        return _json(200, {"status": "live", "nodeId": self._node_id})

    async def _ready(self, request: web.Request) -> web.Response:
        nodes = [await self.report()]
        address = request.transport.get_extra_info("sockname") if request.transport else None
        if address is not None and address[1] == self.shared_port:
            nodes += await self._ask_peers()
        ready = all(node["ready"] for node in nodes)
        body = {"status": "ready" if ready else "not ready", "nodes": nodes}
        return _json(200 if ready else 503, body)

    async def _ask_peers(self) -> list[dict[str, Any]]:
        timeout = aiohttp.ClientTimeout(total=PEER_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            others = (port for port in self._peer_ports if port != self.own_port)
            return await asyncio.gather(*(self._ask(session, port) for port in others))

    async def _ask(self, session: aiohttp.ClientSession, port: int) -> dict[str, Any]:
        try:
            async with session.get(f"http://127.0.0.1:{port}/health/ready") as response:
                report: dict[str, Any] = (await response.json())["nodes"][0]
                return report
        except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError):  # no hub at that port?
            return {"nodeId": None, "port": port, "ready": False, "checks": {"node": "does not answer"}}

    async def _metrics(self, request: web.Request) -> web.Response:
        """Metrics name routes and rates: for this machine, or for who has the token."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = token.encode(errors="surrogateescape")  # as it came: headers need not be UTF-8
        by_token = self._metrics_token is not None and hmac.compare_digest(given, self._metrics_token.encode())
        if not by_token and request.remote not in LOOPBACK:
            return problem(403, "forbidden", "Metrics are for loopback, or for the metrics token.", temporary=False)
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _json(status: int, body: dict[str, Any]) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json", headers=headers)
