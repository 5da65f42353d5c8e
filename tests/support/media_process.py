"""Media servers in processes of their own: `sparkle-hub media` over the test session's Redis."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from hub import config


@dataclass
class MediaProcess:
    """One of them."""

    popen: "subprocess.Popen[bytes]"

    def kill(self) -> None:
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait(10)

    def stop(self) -> int:
        """In order; gives the exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(10)


def media_process(redis_url: str, more: Mapping[str, str] | None = None) -> MediaProcess:
    """Start one; it listens on the loopback. Found by its lease when it is ready."""
    environment = {name: value for name, value in config.environment().items() if not name.startswith("SPARKLE_")}
    environment |= {"REDIS_URL": redis_url, "SPARKLE_MEDIA_LISTEN": "127.0.0.1", **(more or {})}
    command = [sys.executable, "-m", "hub.cli", "media", "--start-wait-s", "20"]
    return MediaProcess(subprocess.Popen(command, env=environment))
