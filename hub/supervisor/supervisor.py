"""The supervisor: servers and nodes, then keeping them all alive; at the end the nodes first, then the servers.

Order of a start, so that the cheap checks fail first: lock the data folder, wait for nodes of a killed run, reserve
the ports, start the servers and the nodes side by side. Every child dies with this process, even by SIGKILL.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hub.embedded.chain import EmbeddedChain, find_anvil
from hub.embedded.data_folder import DataFolder
from hub.embedded.errors import EmbeddedError
from hub.embedded.stack import Stack
from hub.supervisor.errors import StartError
from hub.supervisor.node import DRAIN_S, Node, NodeSpec, media_command, serve_command
from hub.supervisor.ports import port_of, reserve_own, reserve_shared

_WILDCARDS = ("0.0.0.0", "::", "")
SERVERS_START_S = 60.0
"""How long nodes wait for the servers beside them: as long as these may take, crash recovery included."""


@dataclass(frozen=True)
class Options:
    """What to run. `environment` is that of the nodes, to which the URLs of the servers are added."""

    environment: Mapping[str, str] = field(repr=False)  # has secrets
    data: Path
    nodes: int = 2
    host: str = "127.0.0.1"
    port: int = 8080
    database_url: str | None = None
    redis_url: str | None = None
    postgres_bin: Path | None = None
    valkey_bin: Path | None = None
    chain_rpc_url: str | None = None
    chain_engine: str = "auto"
    media_servers: int = 0
    media_port: int = 0
    """UDP port of the first media server, the others have those after it. 0: they pick their own."""
    node_command: Callable[[NodeSpec], Sequence[str]] = serve_command


async def supervise(options: Options, *, announce: Callable[[str], None]) -> int:
    """Run the hub until SIGINT, SIGTERM or SIGHUP; gives the exit code. `announce` gets lines for a person.

    0 after an orderly stop; the exit code of a node that ended before it was ever ready; 1 for all else. A second
    signal kills everything at once. Call from the main thread: the children are tied to it.
    """
    return await _Supervisor(options, announce).run()


class _Supervisor:
    def __init__(self, options: Options, announce: Callable[[str], None]) -> None:
        self._options = options
        self._announce = announce
        self._started = time.monotonic()
        self._stopping = False
        self._stack: Stack | None = None
        self._chain: EmbeddedChain | None = None
        self._nodes: list[Node] = []
        self._media: list[Node] = []

    async def run(self) -> int:
        """Do all of it, and turn errors into a sentence and an exit code."""
        serving = asyncio.get_running_loop().create_task(self._serve())
        with self._signals(serving):
            try:
                await serving
            except (StartError, EmbeddedError) as error:
                self._announce(f"error: {error}")
                return error.exit_code if isinstance(error, StartError) else 1
            except asyncio.CancelledError:
                if not self._stopping:
                    raise
            self._announce("stopped")
            return 0

    async def _serve(self) -> None:
        options = self._options
        with contextlib.ExitStack() as held:
            folder = held.enter_context(DataFolder(options.data))
            lock = held.enter_context(folder.lock("nodes"))
            await lock.acquire(DRAIN_S + 5.0, "a node of the previous run")
            shared = held.enter_context(reserve_shared(options.host, options.port))
            own = [held.enter_context(reserve_own()) for _ in range(options.nodes)]
            stack = self._stack = self._make_stack(folder)
            chain = self._chain = self._make_chain(folder)
            if chain is not None:
                held.callback(chain.close)
            try:
                ports = [port_of(one) for one in own]
                self._nodes = self._make_nodes(stack, folder, port_of(shared), ports, lock.descriptor)
                self._media = self._make_media(stack, folder, held, lock.descriptor)
                await self._start(stack, folder)
                self._say_where(port_of(shared))
                async with asyncio.TaskGroup() as group:
                    group.create_task(stack.watch())
                    if chain is not None:
                        group.create_task(chain.watch())
                    for node in self._nodes:
                        group.create_task(node.keep_running())
                    for server in self._media:
                        group.create_task(self._keep_media(server))
            finally:
                self._stopping = True  # from here on a signal means: at once
                await asyncio.gather(*(node.stop() for node in [*self._nodes, *self._media]))
                await stack.stop()
                if chain is not None:
                    await chain.stop()

    def _make_stack(self, folder: DataFolder) -> Stack:
        return Stack(
            folder,
            database_url=self._options.database_url,
            redis_url=self._options.redis_url,
            postgres_bin=self._options.postgres_bin,
            valkey_bin=self._options.valkey_bin,
            announce=self._announce,
        )

    def _make_chain(self, folder: DataFolder) -> EmbeddedChain | None:
        """A listening socket, no process: that is started by the first connection."""
        options = self._options
        if options.chain_rpc_url is not None or options.chain_engine == "off":
            return None
        anvil = find_anvil(options.chain_engine, options.environment.get("PATH"))
        return EmbeddedChain(folder, anvil=anvil, announce=self._announce)

    def _make_nodes(
        self, stack: Stack, folder: DataFolder, port: int, own_ports: Sequence[int], lock: int
    ) -> list[Node]:
        urls = {"DATABASE_URL": stack.database_url, "REDIS_URL": stack.redis_url}
        if self._chain is not None:
            urls |= {"CHAIN_RPC_URL": self._chain.url, "SPARKLE_CHAIN_DEPLOY": "true"}
        specs = [
            NodeSpec(
                f"n{number}",
                self._options.host,
                port,
                own_port,
                tuple(own_ports),
                folder.path,
                SERVERS_START_S if stack.servers else 0.0,
            )
            for number, own_port in enumerate(own_ports, start=1)
        ]
        return [
            Node(
                spec,
                command=self._options.node_command(spec),
                environment={**self._options.environment, **urls},
                lock=lock,
                announce=self._announce,
            )
            for spec in specs
        ]

    def _make_media(self, stack: Stack, folder: DataFolder, held: contextlib.ExitStack, lock: int) -> list[Node]:
        """Media servers, each with a loopback port for its commands."""
        made = []
        for number in range(self._options.media_servers):
            own_port = port_of(held.enter_context(reserve_own()))
            spec = NodeSpec(f"m{number + 1}", "127.0.0.1", 0, own_port, (), folder.path, SERVERS_START_S)
            environment = {**self._options.environment, "REDIS_URL": stack.redis_url}
            if self._options.media_port:
                environment["SPARKLE_MEDIA_PORT"] = str(self._options.media_port + number)
            made.append(
                Node(
                    spec,
                    command=media_command(spec),
                    environment=environment,
                    lock=lock,
                    announce=self._announce,
                    title="media server",
                )
            )
        return made

    async def _keep_media(self, server: Node) -> None:
        """A hub without media servers still has calls between two: one that does not start is no reason to end."""
        try:
            await server.start()
        except StartError as error:
            self._announce(str(error))
        await server.keep_running()

    async def _start(self, stack: Stack, folder: DataFolder) -> None:
        """Servers and nodes side by side: a node imports for a second before it needs a server."""
        if stack.servers:
            names = " and ".join(server.title for server in stack.servers)
            self._announce(f"starting {names}, data in {folder.path}")
        self._announce(f"starting {len(self._nodes)} node{'s' if len(self._nodes) != 1 else ''}")
        everything = [stack.start(), *(node.start() for node in self._nodes)]
        starts = [asyncio.get_running_loop().create_task(start) for start in everything]
        try:
            await asyncio.gather(*starts)  # the first failure ends the wait
        finally:
            for start in starts:
                start.cancel()

    def _say_where(self, port: int) -> None:
        host = self._options.host
        shown = "127.0.0.1" if host in _WILDCARDS else f"[{host}]" if ":" in host else host
        for node in self._nodes:
            self._announce(f"node {node.spec.name} alone: {node.spec.own_url}")
        everywhere = " and every other address of this machine" if host in _WILDCARDS else ""
        self._announce(
            f"Sparkle Hub listens on http://{shown}:{port}{everywhere}, "
            f"ready after {time.monotonic() - self._started:.1f} s; Ctrl-C stops it"
        )

    @contextlib.contextmanager
    def _signals(self, serving: asyncio.Task[None]) -> Iterator[None]:
        def on_signal() -> None:
            if not self._stopping:
                self._stopping = True
                self._announce("stopping; a second Ctrl-C kills everything at once")
                serving.cancel()
            else:
                self._kill()

        loop = asyncio.get_running_loop()
        # under nohup SIGHUP is ignored, and stays so
        hangup = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN else []
        handled = [signal.SIGINT, signal.SIGTERM, *hangup]
        for number in handled:
            loop.add_signal_handler(number, on_signal)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)

    def _kill(self) -> None:
        """Kill all children; the orderly stop that is under way finds them ended."""
        for node in [*self._nodes, *self._media]:
            node.kill()
        if self._stack is not None:
            self._stack.kill()
        if self._chain is not None:
            self._chain.kill()
