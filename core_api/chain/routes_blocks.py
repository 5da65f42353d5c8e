"""The REST side of what the hub publishes by content: /blockchain/blocks/{cid}."""

from typing import Annotated

import msgspec
from msgspec import Meta

from core_api.chain.cid import V0_PATTERN, V1_PATTERN
from core_api.chain.metadata import MetadataLibrary
from hub.kernel.http import Reply, RestApi
from hub.kernel.wire import END

CidText = Annotated[str, Meta(pattern=rf"^({V0_PATTERN}|{V1_PATTERN}){END}", description="CID with SHA-256")]


def blocks_api(library: MetadataLibrary) -> RestApi:
    """Documents by CID, for everybody: a token's URI is of use only if the document can be had."""
    api = RestApi("chain")

    async def get_block(cid: CidText) -> Reply[msgspec.Raw]:
        """Get a document by its CID: the metadata of a token, byte for byte."""
        return Reply(await library.document(cid))

    api.get("/blockchain/blocks/{cid}", get_block)
    return api
