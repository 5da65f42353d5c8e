"""The process's end: work in which Yrs holds the GIL, and which may hang, or run out of memory or stack."""

import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Final

from collab.beside.messages import framed, read
from hub.kernel.stack import deepen_stack

MEMORY_BYTES: Final = 2 << 30
"""Address space. A document of 64 MiB takes some 300 MB to load."""


def confine(niceness: int) -> None:
    """Give way to the node, bound the memory, leave no core file, and have the stack that Yrs needs."""
    os.nice(niceness)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    deepen_stack()


def greeting() -> bytes:
    """What the node says first: what no list of processes must show."""
    return read(sys.stdin.buffer) or b""


def serve(answer: Callable[[bytes], bytes], longest_s: int) -> None:
    """Answer one request after another until the standard input ends.

    A request that takes longer than ``longest_s`` ends the process: the kernel does so, whatever it hangs in. Returns
    too if nobody reads an answer: the node was killed meanwhile.
    """
    while (request := read(sys.stdin.buffer)) is not None:
        signal.alarm(longest_s)
        reply = framed(answer(request))
        signal.alarm(0)
        try:
            sys.stdout.buffer.write(reply)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its exit
            return
