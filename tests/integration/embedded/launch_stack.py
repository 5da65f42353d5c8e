"""A launcher to be killed by tests: starts the servers, says so in one line of JSON, watches them until SIGTERM.

Needs nothing but the standard library, so that any Python can run it as any user.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from hub.embedded.data_folder import DataFolder
from hub.embedded.errors import EmbeddedError
from hub.embedded.stack import Stack


async def main(data: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with DataFolder(Path(data)) as folder:
        stack = Stack(folder, announce=lambda line: print(line, file=sys.stderr, flush=True))
        try:
            await stack.start()
            started = {
                "pids": {server.name: server.process.pid for server in stack.servers if server.process},
                "kinds": [server.identity.kind for server in stack.servers],
                "uid": os.geteuid(),
                "database_url": stack.database_url,
                "redis_url": stack.redis_url,
            }
            print(json.dumps(started), flush=True)
            await stop.wait()
        finally:
            await stack.stop()


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1]))
    except EmbeddedError as error:
        sys.exit(f"error: {error}")
