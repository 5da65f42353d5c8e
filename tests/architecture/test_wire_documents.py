"""The descriptions of the wire in docs/ are those of the code, and hold what clients rely on."""

import json
import re
from pathlib import Path

import pytest

from hub.app import describe

ROOT = Path(__file__).parents[2]

SEED_EVENTS = {
    "content:subscribe",
    "content:unsubscribe",
    "typing:start",
    "typing:stop",
    "presence:update",
    "collab:join",
    "collab:change",
    "call:initiate",
    "call:signal",
}
SERVER_EVENTS = {
    "session:ready",
    "session:revoked",
    "hub:draining",
    "content:new",
    "room:message",
    "room:member",
    "typing:update",
    "presence:diff",
    "collab:update",
    "collab:awareness",
    "call:incoming",
    "call:signal",
    "call:accepted",
    "call:cancelled",
    "call:ended",
}


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    return dict(describe())


def test_the_committed_documents_are_up_to_date(documents: dict[str, str]) -> None:
    for name, text in documents.items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, f"run: ./sparkle schema ({name})"


def test_every_event_that_clients_rely_on_is_there(documents: dict[str, str]) -> None:
    wire = json.loads(documents["wire.json"])
    assert wire["clientEvents"].keys() >= SEED_EVENTS
    assert wire["serverEvents"].keys() >= SERVER_EVENTS


def test_names_on_the_wire_are_camel_case(documents: dict[str, str]) -> None:
    structs = (
        json.loads(documents["wire.json"])["structs"] | json.loads(documents["openapi.json"])["components"]["schemas"]
    )
    names = {name for struct in structs.values() for name in struct.get("properties", {})}
    assert [name for name in names if not re.fullmatch(r"[a-z][A-Za-z0-9]*", name)] == []


def test_every_operation_has_an_id_of_its_own_and_a_summary(documents: dict[str, str]) -> None:
    operations = [
        operation for path in json.loads(documents["openapi.json"])["paths"].values() for operation in path.values()
    ]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert all(operation["summary"] for operation in operations)
