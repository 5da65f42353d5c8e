"""The worker: a process that does one job after another for its node. ``python -m collab.content.worker``.

What a document does to it, hang, run out of memory or overflow the stack, it does not do to the node.
"""

import msgspec

from collab.beside.serving import confine, serve
from collab.content.jobs import Compare, Export, Gather, Import, Restore, run

LONGEST_S = 30
"""For one job. Then the kernel ends the process, whatever it hangs in. A rich document of 1 MB takes 1 s to read."""
NICENESS = 5
Request = Gather | Export | Compare | Restore | Import


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """One for each job, in order."""

    result: bytes | None = None
    refused: str | None = None
    """Why it cannot be done with this content."""
    failed: str | None = None


def main() -> None:
    """Serve until the standard input ends: MessagePack, in and out."""
    confine(NICENESS)
    decoder, encoder = msgspec.msgpack.Decoder(Request), msgspec.msgpack.Encoder()
    serve(lambda request: encoder.encode(_answer(decoder.decode(request))), LONGEST_S)


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
