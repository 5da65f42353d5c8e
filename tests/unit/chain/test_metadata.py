"""core_api.chain.metadata: what a token says of its post, and that it says so in one form only."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from core_api.chain.cid import DAG_PB, Cid
from core_api.chain.metadata import MetadataLibrary, PostFacts, canonical, content_hash, metadata_of
from core_api.chain.unixfs import Block
from core_api.content.schema import Content, PostView
from core_api.ports import UserBrief
from hub.kernel.errors import NotFound

ORIGIN = "https://hub.example"
POST_ID = "0193a1b2-0000-4000-8000-00000000abcd"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Blocks:
    """Implements core_api.chain.blocks.BlockStore in memory."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}

    async def put(self, blocks: Any) -> None:
        self.kept |= {block.cid.digest: block.data for block in blocks}

    async def get(self, cid: Cid) -> bytes | None:
        return self.kept.get(cid.digest)


def post(**changes: Any) -> PostFacts:
    view = PostView(
        id=POST_ID,
        slug="on-sparks",
        title="On sparks",
        content=Content(blocks=[{"type": "paragraph", "text": "Words.", "a": 1}]),
        excerpt=None,
        cover_image=None,
        tags=["fire", "light"],
        category=None,
        status="PUBLISHED",
        author=UserBrief(id=POST_ID, username="ada", display_name="Ada"),
        view_count=0,
        reading_time=1,
        sentiment=None,
        published_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )
    return msgspec.structs.replace(view, **changes)


def document(**changes: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(canonical(metadata_of(post(**changes), ORIGIN)))
    return decoded


def test_the_document_is_what_erc_721_and_marketplaces_read() -> None:
    content = b'{"blocks":[{"a":1,"text":"Words.","type":"paragraph"}]}'
    assert document(excerpt="Short.", cover_image="/media/1.png") == {
        "name": "On sparks",
        "description": "Short.",
        "external_url": "https://hub.example/api/v1/posts/on-sparks",
        "image": "https://hub.example/media/1.png",
        "content_hash": "0x" + content_hash(POST_ID).hex(),
        "content_sha256": hashlib.sha256(content).hexdigest(),
        "attributes": [
            {"trait_type": "Author", "value": "ada"},
            {"display_type": "date", "trait_type": "Published", "value": 1_795_392_000},
            {"trait_type": "Tag", "value": "fire"},
            {"trait_type": "Tag", "value": "light"},
        ],
    }


def test_what_is_not_there_is_left_out() -> None:
    bare = document(author=None, published_at=None, tags=[])
    assert (bare["attributes"], bare["description"], "image" in bare) == ([], "A post.", False)
    assert document()["description"] == "A post by ada."
    assert document(cover_image="https://other.example/1.png")["image"] == "https://other.example/1.png"


def test_the_bytes_are_canonical() -> None:
    encoded = canonical(metadata_of(post(title='</script>"\u2028\0é'), ORIGIN))
    value = json.loads(encoded)
    assert encoded == json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


async def test_the_same_post_has_the_same_cid_and_another_version_another() -> None:
    library = MetadataLibrary(Blocks(), origin=lambda: ORIGIN)
    first = await library.publish_metadata(post())
    reordered = Content(blocks=[{"a": 1, "text": "Words.", "type": "paragraph"}])
    assert await library.publish_metadata(post(content=reordered)) == first
    assert await library.publish_metadata(post(content=Content(blocks=[]))) != first
    assert await library.publish_metadata(post(title="Other")) != first


async def test_a_published_document_is_served_byte_for_byte() -> None:
    library = MetadataLibrary(Blocks(), origin=lambda: ORIGIN)
    cid = await library.publish_metadata(post())
    served = bytes(await library.document(str(cid)))
    assert served == canonical(metadata_of(post(), ORIGIN))
    assert Cid.of(served) == cid


@pytest.mark.parametrize("text", ["", "nonsense", str(Cid.of(b"not there")), str(Cid.of(b"{}", DAG_PB))])
async def test_there_is_no_other_document(text: str) -> None:
    blocks = Blocks()
    await blocks.put([Block(Cid.of(b"{}", DAG_PB), b"{}")])
    with pytest.raises(NotFound):
        await MetadataLibrary(blocks, origin=lambda: ORIGIN).document(text)


def test_a_post_is_known_to_the_contract_by_its_id_for_ever() -> None:
    # Another hash would let every post be minted once more.
    assert content_hash(POST_ID).hex() == "8c1d613627246ff7ac69df4df60e6348d1ce88d7e6652b7ef0563762366c4338"
    assert content_hash(POST_ID[:-1] + "e") != content_hash(POST_ID)
