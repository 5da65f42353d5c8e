"""Valid and hostile Yjs updates, from which the fuzzer makes its own, and bytes to put into them."""

from random import Random

from collab.decoding import uint
from tests.support.yjs import Writer, edit

HONEST = 400
SHAPES = 2_000
CLIENTS = 5
MOST_ITEMS = 40
LONG = 3_000
"""Letters of the text that items and deletions fall into."""

ROOT_TEXT, ROOT_MAP, ROOT_LIST = b"\1\1t", b"\1\1m", b"\1\1l"
CONTENTS = (
    b"\x01\x03",  # deleted
    b"\x02\x011",  # JSON
    b"\x03\x02\0\1",  # bytes
    b"\x04\x01x",
    b"\x04\x04\xf0\x9f\x98\x80",  # two units
    b"\x05\x02{}",  # embedded
    b"\x06\x01b\x04true",  # format
    b"\x07\x00",
    b"\x07\x01",
    b"\x07\x02",
    b"\x07\x03\x01p",
    b"\x07\x06",
    b"\x08\x02\x7e\x7d\x05",  # values
    b"\x09\x01d\x76\x00",  # subdocument
)
TOKENS = (
    *(bytes([kind | flags]) for kind in range(11) for flags in (0, 0x20, 0x40, 0x80, 0xC0, 0xE0)),
    uint(2**31 - 1),
    uint(2**31),
    uint(2**53 - 1),
    b"\xff\xff\xff\xff\x7f",
    b"\x75\x01",
    b"\x76\x01\x00",
    b"\x01\x07\x00",
    b"\x00",
    b"\x01",
    "😀".encode(),
)


def beginning() -> bytes:
    """What every document begins with: a long text, a map and a list of the first client."""
    text = b"\x04" + ROOT_TEXT + uint(LONG) + b"a" * LONG
    return b"\1\3\1\0" + text + b"\x28" + ROOT_MAP + b"\1k\1\x7e" + b"\x07" + ROOT_LIST + b"\0" + b"\0"


def honest(random: Random) -> list[bytes]:
    """Updates as editors make them, each a small document of its own."""
    found = []
    for _ in range(HONEST):
        writer = Writer()
        for _ in range(random.randrange(1, 6)):
            edit(writer, random)
        found.append(writer.doc.get_update())
    return found


def shapes(random: Random) -> list[bytes]:
    """Updates of the right form that no editor makes: any item beside, between and within any others."""
    return [_shape(random) for _ in range(SHAPES)]


def _shape(random: Random) -> bytes:
    blocks = []
    for client in random.sample(range(2, 2 + CLIENTS), random.randrange(CLIENTS)):
        items = [_item(random) for _ in range(random.choice((1, 2, 5, MOST_ITEMS)))]
        blocks.append(uint(len(items)) + uint(client) + uint(random.choice((0, 0, 0, 1, 40))) + b"".join(items))
    deletions = [
        uint(random.randrange(LONG)) + uint(random.choice((0, 1, 1, 2, 30, LONG)))
        for _ in range(random.choice((0, 0, 1, 5, 150)))
    ]
    deleted = b"\1\1" + uint(len(deletions)) + b"".join(deletions) if deletions else b"\0"
    return uint(len(blocks)) + b"".join(blocks) + deleted


def _item(random: Random) -> bytes:
    if not random.randrange(12):
        return b"\x00" + uint(random.choice((1, 5)))  # collected
    content = random.choice(CONTENTS)
    flags = random.choice((0, 0x80, 0x80, 0x40, 0xC0, 0xC0))
    references = b"".join(_reference(random) for bit in (0x80, 0x40) if flags & bit)
    if not flags:
        key = random.randrange(2)
        flags |= 0x20 * key
        parent = random.choice((ROOT_TEXT, ROOT_MAP, ROOT_LIST, b"\0" + _reference(random)))
        references = parent + (random.choice((b"\1k", b"\1z")) if key else b"")
    return bytes([content[0] | flags]) + references + content[1:]


def _reference(random: Random) -> bytes:
    if random.randrange(2):
        return b"\1" + uint(random.randrange(LONG + 2))
    return uint(random.randrange(2, 2 + CLIENTS)) + uint(random.randrange(6))
