"""The worker: a process that does one job after another for its node. ``python -m collab.content.worker``.

What a document does to it, hang, run out of memory or overflow the stack, it does not do to the node.
"""

import msgspec

from collab.beside.serving import confine, serve
from collab.content.jobs import LONGEST_S, Answer, Compare, Export, Gather, Import, Restore
from collab.content.work import run

NICENESS = 5
Request = Gather | Export | Compare | Restore | Import


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
