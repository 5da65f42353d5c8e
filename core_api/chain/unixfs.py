"""Files as blocks, in the form of ``ipfs add``: chunks of 256 KiB, and above them a balanced tree of links.

Who adds the same bytes to IPFS with the same version gets the same CID, so what we publish can be pinned anywhere.
Two small Protocol Buffers messages make a node: UnixFS (specs.ipfs.tech/unixfs) inside DAG-PB (ipld.io/specs).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from core_api.chain.cid import DAG_PB, RAW, Cid

CHUNK_BYTES: Final = 262_144
"""The default chunker of Kubo (``size-262144``)."""
MAX_LINKS: Final = 174
"""Links of a node in Kubo's default layout. Another number gives other trees, and other CIDs."""
FILE: Final = 2
"""UnixFS type of a file, and of each of its parts."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some bytes and their name."""

    cid: Cid
    data: bytes


@dataclass(frozen=True, slots=True)
class _Part:
    """A node of the tree: how many bytes of the file it stands for, and how many all blocks below it have."""

    cid: Cid
    file_bytes: int
    total_bytes: int


def add(data: bytes, version: Literal[0, 1] = 1, *, chunk_bytes: int = CHUNK_BYTES) -> list[Block]:
    """The blocks of a file, the root last.

    Version 1 is ``ipfs add --cid-version=1``: chunks are raw blocks, and a file of one chunk is that chunk. Version 0
    is plain ``ipfs add``: every block is a DAG-PB node. A block may be in the list several times if the file repeats
    itself. CPU-bound, 1 ms for a megabyte (version 0: 12 ms): off the event loop for more than a small file.
    """
    blocks: list[Block] = []
    chunks = [data[start : start + chunk_bytes] for start in range(0, len(data), chunk_bytes)] or [b""]
    parts = [_leaf(chunk, version, blocks) for chunk in chunks]
    while len(parts) > 1:
        parts = [_node(children, version, blocks) for children in _groups(parts)]
    return blocks


def _groups(parts: Sequence[_Part]) -> Iterator[Sequence[_Part]]:
    for start in range(0, len(parts), MAX_LINKS):
        yield parts[start : start + MAX_LINKS]


def _leaf(chunk: bytes, version: Literal[0, 1], blocks: list[Block]) -> _Part:
    if version == 1:
        block = Block(Cid.of(chunk, RAW), chunk)
    else:
        node = _dag_pb((), _unixfs(len(chunk), chunk, ()))
        block = Block(Cid.of(node, DAG_PB, 0), node)
    blocks.append(block)
    return _Part(block.cid, len(chunk), len(block.data))


def _node(children: Sequence[_Part], version: Literal[0, 1], blocks: list[Block]) -> _Part:
    file_bytes = sum(child.file_bytes for child in children)
    node = _dag_pb(children, _unixfs(file_bytes, b"", [child.file_bytes for child in children]))
    block = Block(Cid.of(node, DAG_PB, version), node)
    blocks.append(block)
    return _Part(block.cid, file_bytes, len(node) + sum(child.total_bytes for child in children))


def _unixfs(file_bytes: int, data: bytes, part_sizes: Sequence[int]) -> bytes:
    """``Data {Type = 1, Data = 2, filesize = 3, blocksizes = 4}``. Kubo leaves the field out where there is no data."""
    message = _number(1, FILE) + (_bytes(2, data) if data else b"") + _number(3, file_bytes)
    return message + b"".join(_number(4, size) for size in part_sizes)


def _dag_pb(links: Sequence[_Part], data: bytes) -> bytes:
    """``PBNode {Data = 1, Links = 2}``, the links first: the one order in which DAG-PB is canonical."""
    return b"".join(_bytes(2, _link(link)) for link in links) + _bytes(1, data)


def _link(part: _Part) -> bytes:
    """``PBLink {Hash = 1, Name = 2, Tsize = 3}``. Parts of a file have no name, and say so."""
    return _bytes(1, bytes(part.cid)) + _bytes(2, b"") + _number(3, part.total_bytes)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
