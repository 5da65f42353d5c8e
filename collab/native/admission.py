"""Lets an editor into a document by its token, or says why not."""

import asyncio
import logging
from typing import Final

from collab.native import close_codes
from collab.native.open_document import OpenDocument
from collab.native.service import NativeEditing
from hub.kernel.errors import NotFound, Suspended, TokenExpired, Unauthorized

log = logging.getLogger(__name__)

ADMIT_S: Final = 10.0
"""Longest wait for the database to say whose token it is."""


async def admit(service: NativeEditing, document: OpenDocument, token: str) -> None:
    """Admit the client to the document, or end it. Who opens documents faster than they may has to wait."""
    try:
        given = service.passes.read(token, document.document_id)
        await document.allowed("collab:join", given)
        async with asyncio.timeout(ADMIT_S):
            await service.passes.check(given)
    except Exception as error:
        known = service.as_hub_error(error)
        if isinstance(known, Unauthorized | TokenExpired | Suspended):
            document.end(close_codes.UNAUTHORIZED, known.message)
        elif isinstance(known, NotFound):
            document.end(close_codes.FORBIDDEN, "the token is for another document")
        else:
            if known is None:
                log.exception("an editor could not be let in")
            document.end(close_codes.TRY_AGAIN, "try again")
    else:
        document.admit(given)
