"""core_api.chain.cid and core_api.chain.unixfs, judged by other implementations."""

import hashlib
from typing import Literal

import multiformats
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_api.chain.cid import DAG_PB, RAW, Cid, CidError
from core_api.chain.unixfs import MAX_LINKS, add

Version = Literal[0, 1]

# (bytes of the file, bytes of a chunk, version, CID of the root) by npm ipfs-unixfs-importer 17.1.1 with
# {cidVersion, rawLeaves: cidVersion === 1, chunker: fixedSize({chunkSize})}.
TREES: list[tuple[int, int, Version, str]] = [
    (0, 262_144, 0, "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"),
    (0, 262_144, 1, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
    (262_144, 262_144, 0, "QmNjsPT1urL55WXngMVgvZrn2apSux229uFBoAgmKTtjAd"),
    (262_144, 262_144, 1, "bafkreieiuj5mzeuqor24l4lmo2yumm6665yv4gq7ozzp2nrfmqrjyboosy"),
    (262_145, 262_144, 0, "QmP8yTqWQcb3qVoBcdE4pTUzxh9kazndg5ELrbXBmdj17M"),
    (262_145, 262_144, 1, "bafybeich6cqd6yabw3cku6edwmz4rvwe275nx2l6ootvc2bpbt5bdvarua"),
    (600_000, 262_144, 0, "QmXoNkP3DBcSVpFSPw5WZrxs2LvbKDGtvQSmhxNXYYVtwJ"),
    (600_000, 262_144, 1, "bafybeifm6ozrt4mfvwkwdtw5yk5fk5xbro4pxhthzp4malew6f7df2kada"),
    (MAX_LINKS * 64, 64, 0, "Qmc2dVH4KSTRmPJtFJ6PmEKNYG9AYdDrN12HQo7rHCp93N"),
    (MAX_LINKS * 64, 64, 1, "bafybeiakderzmmrw4576cnuxj4tej3jborrevgb2jqghi34t3ypyiuuvhu"),
    (MAX_LINKS * 64 + 1, 64, 0, "QmaGCgHenwA1wBp5HMbg7YqbA5QQD3oUZ6W73j5xVhZQ1o"),
    (MAX_LINKS * 64 + 1, 64, 1, "bafybeics2gy3ho3ttbqfzpflbnpgnnz36tobbx7qkjwzovcvnqruvnujjq"),
    (MAX_LINKS**2 * 4 + 5, 4, 0, "QmP1fyNKubnPMuu5wh6KMYa7Yn2bETT1FUunj6vcbexynM"),
    (MAX_LINKS**2 * 4 + 5, 4, 1, "bafybeihxpxq4x4rbazieotrf63r36l2xbfrox7yp35n3ls44sdwgnj6jou"),
]


def some_bytes(count: int) -> bytes:
    return bytes((number * 31 + 7) % 251 for number in range(count))


@pytest.mark.parametrize(("size", "chunk", "version", "root"), TREES)
def test_files_have_the_cids_of_the_importer_of_ipfs(size: int, chunk: int, version: Version, root: str) -> None:
    assert str(add(some_bytes(size), version, chunk_bytes=chunk)[-1].cid) == root


@pytest.mark.parametrize(
    ("text", "version", "root"),
    [
        (b"hello world", 0, "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD"),
        (b"hello world\n", 0, "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"),
        (b"hello world", 1, "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"),
    ],
)
def test_files_have_the_cids_that_ipfs_add_prints(text: bytes, version: Version, root: str) -> None:
    assert str(add(text, version)[-1].cid) == root


@given(st.binary(max_size=300), st.sampled_from([0, 1]), st.integers(1, 40))
def test_every_block_has_its_name_and_the_same_file_the_same_root(data: bytes, version: Version, chunk: int) -> None:
    blocks = add(data, version, chunk_bytes=chunk)
    assert all(block.cid.names(block.data) for block in blocks)
    assert add(data, version, chunk_bytes=chunk) == blocks


@given(st.binary(max_size=300), st.integers(1, 40))
def test_the_raw_leaves_of_a_file_are_the_file(data: bytes, chunk: int) -> None:
    leaves = [block.data for block in add(data, chunk_bytes=chunk) if block.cid.codec == RAW]
    assert b"".join(leaves) == data


@given(st.binary(), st.sampled_from([("raw", RAW), ("dag-pb", DAG_PB)]))
def test_cids_of_version_1_are_those_of_multiformats(data: bytes, codec: tuple[str, int]) -> None:
    theirs = multiformats.CID("base32", 1, codec[0], multiformats.multihash.digest(data, "sha2-256"))
    ours = Cid.of(data, codec[1])
    assert (str(ours), bytes(ours)) == (str(theirs), bytes(theirs))
    assert Cid.parse(str(ours)) == ours


@given(st.binary())
def test_cids_of_version_0_are_those_of_multiformats(data: bytes) -> None:
    theirs = multiformats.CID("base58btc", 0, "dag-pb", multiformats.multihash.digest(data, "sha2-256"))
    ours = Cid.of(data, DAG_PB, 0)
    assert (str(ours), bytes(ours)) == (str(theirs), bytes(theirs))
    assert Cid.parse(str(ours)) == ours


@pytest.mark.parametrize("digest", [bytes(32), b"\xff" * 32, bytes(31) + b"\1"])
def test_digests_at_the_edges_come_back(digest: bytes) -> None:
    for cid in (Cid(digest), Cid(digest, DAG_PB), Cid(digest, DAG_PB, 0)):
        assert Cid.parse(str(cid)) == cid


def test_version_0_names_nodes_only() -> None:
    with pytest.raises(ValueError, match="version 0"):
        Cid.of(b"", RAW, 0)


GOOD = str(Cid(hashlib.sha256(b"").digest()))
GOOD_V0 = str(Cid(hashlib.sha256(b"").digest(), DAG_PB, 0))


@pytest.mark.parametrize(
    "text",
    ["", "b", "Qm", GOOD[:-1], GOOD + "a", GOOD.upper(), "B" + GOOD[1:].upper(), "z" + GOOD[1:], GOOD + "\n",
     GOOD + "=", GOOD_V0[:-1], GOOD_V0 + "1", GOOD_V0.replace("Qm", "Qn"), GOOD_V0.lower(), "Qm" + "z" * 44,
     str(multiformats.CID("base32", 1, "dag-cbor", multiformats.multihash.digest(b"", "sha2-256"))),
     str(multiformats.CID("base32", 1, "raw", multiformats.multihash.digest(b"", "sha2-512"))),
     str(multiformats.CID("base32", 1, "raw", multiformats.multihash.digest(b"", "sha3-256"))),
     str(multiformats.CID("base58btc", 1, "raw", multiformats.multihash.digest(b"", "sha2-256")))],
)  # fmt: skip
def test_other_texts_are_no_cids(text: str) -> None:
    with pytest.raises(CidError):
        Cid.parse(text)


def test_a_cid_has_one_spelling() -> None:
    last = "abcdefghijklmnopqrstuvwxyz234567".index(GOOD[-1])
    others = [GOOD[:-1] + "abcdefghijklmnopqrstuvwxyz234567"[last + bits] for bits in (1, 2, 3)]
    for other in others:
        with pytest.raises(CidError):
            Cid.parse(other)


@given(st.text(st.sampled_from("Qmbz1aβ2"), max_size=62) | st.from_regex("Qm[1-9A-HJ-NP-Za-km-z]{44}", fullmatch=True))
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    try:
        assert str(Cid.parse(text)) == text
    except CidError:
        return
