"""redis-py's client of a Redis Cluster, made to behave like its client of one server where the hub relies on that."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from typing import Any, cast

from redis.asyncio.cluster import ClusterNode, ClusterPipeline, RedisCluster
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, SlotNotCoveredError

from hub.kernel import redis_url

CONNECT_S = 2
ANSWER_S = 5


class ClusterClient(RedisCluster):
    """A client that keeps at most ``size`` commands under way, and has the others wait.

    The commands are those of redis.asyncio.Redis, without transactions. All keys of a command or a script have to have
    one hash tag; a pipeline may mix them.
    """

    def __init__(self, url: str, *, size: int, wait_s: float) -> None:
        """Raises ValueError or TypeError for options that mean nothing. ``wait_s``: longest wait for others."""
        servers: list[dict[str, Any]] = [dict(parse_url(one)) for one in redis_url.servers(url)]
        options = {name: value for name, value in servers[0].items() if name not in {"host", "port", "db"}}
        if options.pop("connection_class", None) is not None:
            options["ssl"] = True
        super().__init__(
            startup_nodes=[
                ClusterNode(str(one.get("host", "localhost")), int(one.get("port", 6379))) for one in servers
            ],
            # To each server. More than ever are in use, since what waits is bounded here.
            max_connections=2 * size,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=ANSWER_S,
            # Names stay known when addresses change.
            dynamic_startup_nodes=False,
            retry=Retry(NoBackoff(), 0),
            **options,
        )
        self._wait_s = wait_s
        self._places = asyncio.Semaphore(size)

    async def initialize(self, *arguments: Any, **options: Any) -> "ClusterClient":
        """Find the servers. Raises ConnectionError, as every outage does: redis-py's own error is no RedisError."""
        try:
            _ = await super().initialize(*arguments, **options)
        except RedisClusterException as error:
            raise RedisConnectionError(str(error)) from error
        return self

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """The reply to a command, of the server that has its keys."""
        async with _Place(self):
            return await super().execute_command(*args, **kwargs)

    def pipeline(self, transaction: bool | None = None, shard_hint: Any = None) -> ClusterPipeline:
        """Commands that are sent together, to each server those for its keys.

        Raises NotImplementedError for a transaction: redis-py 8.1 queues each of its commands in a thread, on an event
        loop of its own, which breaks connections of this one. A script does what a transaction would.
        """
        if transaction:
            raise NotImplementedError("no transactions on a Redis Cluster: take a script")
        return _Pipeline(self, transaction)  # type: ignore[abstract] # and so is redis-py's own class

    def pubsub(self, *arguments: Any, **options: Any) -> Any:
        """Subscriptions, on any primary: what is published to one is passed on to all. Each time on another.

        redis-py takes the one that has the slot of the first channel, and takes it again and again when it is gone.
        """
        if not arguments and (primaries := self.get_primaries()):
            arguments = (random.choice(primaries),)  # noqa: S311 no secret
        return super().pubsub(*arguments, **options)

    def register_script(self, script: Any) -> Any:
        """A script that also a pipeline takes."""
        return _Script(self, script)


class _Place:
    """One of the commands under way."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client

    async def __aenter__(self) -> None:
        try:
            async with asyncio.timeout(self._client._wait_s):
                await self._client._places.acquire()
        except TimeoutError:
            raise RedisConnectionError("too many commands wait for the Redis Cluster") from None

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._client._places.release()
        # The second: when a server has gone, redis-py 8.1 closes its free connections, and one of them may just have
        # been taken by another command ("'NoneType' object has no attribute 'writelines'").
        if isinstance(error, (SlotNotCoveredError, AttributeError)):
            raise RedisConnectionError(str(error)) from error


class _Pipeline(ClusterPipeline):
    """One that keeps to the places, too."""

    async def execute(self, raise_on_error: bool = True, allow_redirections: bool = True) -> list[Any]:
        async with _Place(cast("ClusterClient", self.cluster_client)):
            return await super().execute(raise_on_error, allow_redirections)


class _Script(AsyncScript):
    """In a pipeline the text goes along: redis-py takes no EVALSHA there, whose script a server may not have."""

    async def __call__(
        self, keys: Sequence[Any] | None = None, args: Iterable[Any] | None = None, client: Any = None
    ) -> Any:
        if isinstance(client, ClusterPipeline):
            return client.execute_command("EVAL", self.script, len(keys or ()), *(keys or ()), *(args or ()))
        return await super().__call__(keys, args, client)
