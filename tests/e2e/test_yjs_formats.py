"""Updates v2 of the hub and of npm's Yjs are the same bytes, in both directions."""

import random
from base64 import b64decode, b64encode
from typing import Any

import pytest

from collab.formats.v2 import v1_from_v2, v2_from_v1
from tests.e2e.conftest import run_script
from tests.support.yjs import Writer, edit


@pytest.mark.usefixtures("npm_clients")
async def test_both_encodings_are_those_of_npm_yjs() -> None:
    updates = [_document(number) for number in range(12)]
    documents = [[b64encode(update).decode(), b64encode(v2_from_v1(update)).decode()] for update in updates]
    report: list[dict[str, Any]] = await run_script("yjs_formats", documents=documents)
    for found in report:
        v1, v2 = b64decode(found["v1"]), b64decode(found["v2"])
        assert found["same"]
        assert v2_from_v1(v1) == v2
        assert v1_from_v2(v2) == v1


def _document(seed: int) -> bytes:
    """A document of three writers who have seen some of what the others did."""
    rnd = random.Random(seed)
    writers = [Writer() for _ in range(3)]
    for _ in range(50):
        writer = rnd.choice(writers)
        edit(writer, rnd)
        if rnd.random() < 0.3:
            other = rnd.choice(writers)
            other.take(writer.doc.get_update(other.doc.get_state()))
    return writers[0].doc.get_update()
