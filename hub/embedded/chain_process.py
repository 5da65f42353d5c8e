"""The process of the embedded chain: answers JSON-RPC on a listening socket that it inherits, until SIGTERM."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from hub.embedded.chain_server import Chain, application
from hub.embedded.errors import EmbeddedError

_DRAIN_S = 2.0  # for answers under way


def main() -> None:
    """Serve; exits with 1 and a sentence if the chain cannot be started."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        asyncio.run(_serve(_arguments()))
    except EmbeddedError as error:
        sys.exit(str(error))
    os._exit(0)  # Python would wait for the thread of py-evm, which may be busy for half a minute


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hub.embedded.chain_process")
    parser.add_argument("--fd", type=int, required=True, help="descriptor of the listening socket")
    parser.add_argument("--lock", type=int, required=True, help="descriptor that tells when all of us have ended")
    parser.add_argument("--anvil", type=Path, help="the anvil program; default: a chain in memory")
    parser.add_argument("--folder", type=Path, help="where anvil keeps its chain")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with _chain(arguments, stop) as chain:
        runner = web.AppRunner(application(chain), access_log=None, shutdown_timeout=_DRAIN_S)
        await runner.setup()
        await web.SockSite(runner, socket.socket(fileno=arguments.fd)).start()
        await stop.wait()
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _chain(arguments: argparse.Namespace, stop: asyncio.Event) -> AsyncIterator[Chain]:
    if arguments.anvil is None:
        from hub.embedded.chain_methods import MemoryChain  # noqa: PLC0415 a second that anvil does without

        yield await asyncio.to_thread(MemoryChain)
        return
    from hub.embedded.chain_anvil import running_anvil  # noqa: PLC0415 for one of the two

    async with running_anvil(arguments.anvil, arguments.folder, arguments.lock) as (chain, process):
        watch = asyncio.get_running_loop().create_task(process.wait())
        watch.add_done_callback(lambda _: stop.set())  # the next request starts both anew
        yield chain
        watch.cancel()


if __name__ == "__main__":
    main()
