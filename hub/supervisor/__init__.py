"""One command for everything: the embedded servers, N nodes on one port, restarts, an orderly end."""

from hub.supervisor.node import NodeSpec, serve_command
from hub.supervisor.run import run
from hub.supervisor.supervisor import Options, supervise

__all__ = ["NodeSpec", "Options", "run", "serve_command", "supervise"]
