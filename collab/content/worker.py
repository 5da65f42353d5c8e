"""The worker: a process that does one job after another for its node. ``python -m collab.content.worker``.

What a document does to it, hang, run out of memory or overflow the stack, it does not do to the node.
"""

import os
import resource
import signal
import sys
from struct import Struct

import msgspec

from collab.content.jobs import Compare, Export, Gather, Import, Restore, run
from hub.kernel.stack import deepen_stack

MEMORY_BYTES = 2 << 30
"""Address space. A document of 64 MiB takes some 300 MB to load."""
LONGEST_S = 30
"""For one job. Then the kernel ends the process, whatever it hangs in. A rich document of 1 MB takes 1 s to read."""
NICENESS = 5
LENGTH = Struct("<Q")
Request = Gather | Export | Compare | Restore | Import


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """One for each job, in order."""

    result: bytes | None = None
    refused: str | None = None
    """Why it cannot be done with this content."""
    failed: str | None = None


def main() -> None:
    """Serve until the standard input ends: a length of eight bytes, then that many of MessagePack, in and out."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    deepen_stack()
    decoder, encoder = msgspec.msgpack.Decoder(Request), msgspec.msgpack.Encoder()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        job = decoder.decode(requests.read(LENGTH.unpack(head)[0]))
        signal.alarm(LONGEST_S)
        answer = encoder.encode(_answer(job))
        signal.alarm(0)
        answers.write(LENGTH.pack(len(answer)) + answer)
        answers.flush()


def _answer(job: Request) -> Answer:
    try:
        return Answer(result=run(job))
    except (ValueError, RecursionError) as error:
        return Answer(refused=str(error) or type(error).__name__)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of Yrs is no Exception
        return Answer(failed=repr(error))


if __name__ == "__main__":
    main()
