"""A `sparkle-hub run` with stand-ins for nodes, to be interrupted and killed by tests.

One argument, JSON: data, port, mode (of fake_node), and perhaps nodes, servers (true: start real ones), chain (the
engine, default: off) and chain_rpc_url.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from hub.supervisor import NodeSpec, Options, supervise

FAKE_NODE = Path(__file__).with_name("fake_node.py")


def main(options: dict[str, str | int | bool]) -> int:
    def command(spec: NodeSpec) -> Sequence[str]:
        node = [spec.name, spec.host, str(spec.port), str(spec.own_port), str(options.get("mode", ""))]
        return [sys.executable, "-I", "-S", str(FAKE_NODE), *node]

    real_servers = bool(options.get("servers", False))
    return asyncio.run(
        supervise(
            Options(
                environment={"FROM_BASE": "yes"},
                data=Path(str(options["data"])),
                port=int(options["port"]),
                nodes=int(options.get("nodes", 2)),
                database_url=None if real_servers else "postgresql://elsewhere/database",
                redis_url=None if real_servers else "redis://elsewhere",
                chain_engine=str(options.get("chain", "eth-tester" if "chain_rpc_url" in options else "off")),
                chain_rpc_url=str(options["chain_rpc_url"]) if "chain_rpc_url" in options else None,
                node_command=command,
            ),
            announce=lambda line: print(line, flush=True),
        )
    )


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
