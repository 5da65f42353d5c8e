"""The REST side of the hub, as one person uses it."""

from typing import Any

import aiohttp

from hub.demo.errors import Refused


class Api:
    """Requests to one address of a hub, with a token once there is one."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url.rstrip("/")
        self.token: str | None = None

    async def get(self, path: str) -> Any:
        """See ``post``."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: object = None) -> Any:
        """The decoded answer, None if it is empty. Raises Refused for any problem, aiohttp.ClientError for none."""
        return await self._ask("POST", path, body)

    async def _ask(self, method: str, path: str, body: object) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        address = f"{self.url}/api/v1{path}"
        async with self._session.request(method, address, json=body, headers=headers) as response:
            if response.ok:
                return await response.json() if response.status != 204 else None
            if response.content_type != "application/problem+json":
                raise Refused(f"{method} {path}", {"code": response.status, "message": response.reason})
            problem = await response.json()
            raise Refused(f"{method} {path}", {**problem, "message": problem.get("detail")})

    async def nodes(self) -> dict[str, int]:
        """The nodes that this address speaks for: id → port of its own."""
        async with self._session.get(f"{self.url}/health/ready") as response:
            report = await response.json()
        return {node["nodeId"]: node["port"] for node in report["nodes"] if node["ready"]}
