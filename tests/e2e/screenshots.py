"""Takes the pictures of docs/images anew, with `python -m tests.e2e.screenshots`."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.e2e.conftest import JS
from tests.support.hub_process import running_hub_process
from tests.support.servers import running_servers

PICTURES = Path(__file__).parents[2] / "docs" / "images"


def main() -> None:
    """Start a hub of two nodes and run the script that takes the pictures. Raises what that fails with."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        running_servers() as servers,
        running_hub_process(servers, Path(data)) as hub,
    ):
        given = {
            "nodes": [node.url for node in hub.nodes],
            "chromium": shutil.which("chromium"),
            "pictures": str(PICTURES),
        }
        subprocess.run(["node", "browser_pictures.mjs", json.dumps(given)], cwd=JS, check=True, timeout=120)


if __name__ == "__main__":
    main()
