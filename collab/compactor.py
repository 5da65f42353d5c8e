"""The compactor: a process that folds one document after another, as it is told on its standard input.

Yrs never releases the GIL, so in a node it would stop everything else for as long as it takes. Here it may take its
time, run out of memory or be killed: the database rolls back, and nothing is lost. ``python -m collab.compactor``.
"""

import asyncio
from dataclasses import dataclass

import asyncpg
import msgspec

from collab.beside.serving import confine, greeting, serve
from collab.compaction import Folded, NotWhole
from collab.compaction_postgres import fold

LONGEST_S = 120
"""For one document; 250,000 rows take 3 s on an idle core. Then the kernel ends the process, whatever it hangs in."""
NICENESS = 19
CONNECT_TIMEOUT_S = 5.0
IDLE_TRANSACTION_MS = str(LONGEST_S * 1000)
"""If the whole machine goes, PostgreSQL holds the lock on a snapshot no longer than this."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the node asks for."""

    document_id: str
    least: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One for each request, in order."""

    folded: Folded | None = None
    not_whole: str | None = None
    failed: str | None = None


def main() -> None:
    """Serve until the standard input ends: the address of the database, then requests in MessagePack."""
    confine(NICENESS)
    dsn = greeting().decode()
    decoder, encoder = msgspec.msgpack.Decoder(Request), msgspec.msgpack.Encoder()
    serve(lambda request: encoder.encode(asyncio.run(_answer(dsn, decoder.decode(request)))), LONGEST_S)


async def _answer(dsn: str, request: Request) -> Answer:
    try:
        connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=LONGEST_S,
            server_settings={
                "application_name": "sparkle-hub collab compactor",
                "idle_in_transaction_session_timeout": IDLE_TRANSACTION_MS,
            },
        )
        try:
            return Answer(folded=await fold(connection, request.document_id, request.least))
        finally:
            connection.terminate()
    except NotWhole as error:
        return Answer(not_whole=str(error))
    except Exception as error:  # asyncpg raises all sorts when the server goes
        return Answer(failed=repr(error))


if __name__ == "__main__":
    main()
