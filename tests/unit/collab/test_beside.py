"""A process beside a node, whose node is killed while it works: nobody reads the answer, and nothing is wrong."""

import subprocess
import sys

from collab.beside.messages import framed

ECHO = "from collab.beside.serving import serve; serve(lambda request: request * 100_000, 60)"


def test_a_process_whose_node_was_killed_ends_without_a_word() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(framed(b"a change"))
        process.stdin.flush()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0
