"""tests.support.fork_server: a hub that is forked is as one that is executed."""

import os
import signal
from pathlib import Path

from tests.support.hub_process import running_hub_process
from tests.support.programs import is_alive
from tests.support.servers import Servers
from tests.support.wait import until_sync


def files_of(pid: int, folder: Path) -> set[str]:
    """What a process has open in a folder."""
    paths = [Path(os.readlink(file)) for file in Path(f"/proc/{pid}/fd").iterdir()]
    return {path.name for path in paths if path.is_relative_to(folder)}


def test_nodes_are_processes_with_no_more_than_they_were_given_and_end_with_their_supervisor(
    servers: Servers, tmp_path: Path
) -> None:
    with running_hub_process(servers, tmp_path) as hub:
        pids = [node.pid for node in hub.nodes]
        assert [os.getsid(pid) for pid in pids] == pids
        assert len({node.node_id for node in hub.nodes}) == len(pids)
        assert len(files_of(hub.program.pid, tmp_path)) > 1
        for pid in pids:
            assert files_of(pid, tmp_path) == {"nodes.lock"}
        os.kill(hub.program.pid, signal.SIGKILL)
        assert hub.program.end() == -signal.SIGKILL
        until_sync(lambda: not any(map(is_alive, pids)))


def test_its_exit_code_and_its_output_are_those_of_the_command(servers: Servers) -> None:
    with servers.forks.running(["run", "--nodes", "0"]) as program:
        assert program.end() == 2
    assert program.lines == ["sparkle-hub: --nodes: 0 is too few; at least 1"]
