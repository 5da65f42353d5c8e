"""The descriptions of the wire in docs/ are those of the code, and hold what clients rely on."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from hub.app import describe

ROOT = Path(__file__).parents[2]

CLIENT_EVENTS = {
    "content:subscribe": ("contentId", "contentId memberCount"),
    "content:unsubscribe": ("contentId", "contentId memberCount"),
    "room:join": ("roomId", "roomId memberCount"),
    "room:leave": ("roomId", "roomId memberCount"),
    "room:send": ("roomId clientId body volatile", "messageId seq"),
    "typing:start": ("room", ""),
    "typing:stop": ("room", ""),
    "presence:update": (
        "status text textExpiresAt device",
        "userId status text textExpiresAt lastSeen devices version",
    ),
    "presence:active": ("active", ""),
    "presence:watch": ("userIds people", "users"),
    "presence:unwatch": ("userIds people", "users"),
    "presence:get": ("userIds", "users"),
    "presence:members": ("room cursor limit", "room count members next"),
    "collab:join": ("documentId stateVector", "documentId access update stateVector"),
    "collab:change": ("documentId update", "seq"),
    "collab:awareness": ("documentId update", ""),
    "collab:leave": ("documentId", ""),
    "call:initiate": ("to type callId", "callId state iceServers expiresAt"),
    "call:accept": ("callId reason", "callId state iceServers"),
    "call:reject": ("callId reason", "callId state"),
    "call:ignore": ("callId reason", "callId state"),
    "call:ringing": ("callId reason", "callId state"),
    "call:hangup": ("callId reason", "callId state"),
    "call:transfer": ("callId to", "callId state"),
    "call:invite": ("callId to", "callId state members"),
    "call:media": ("callId audioMuted videoMuted screen streams", "version"),
    "call:hold": ("callId", "version"),
    "call:resume": ("callId", "version"),
    "call:upgrade": ("callId video", "version"),
    "call:restart": ("callId gen", "version gen iceServers"),
    "call:signal": ("callId seq gen legTo signal", "version"),
    "call:engine": ("callId", "engine gen"),
    "call:mute-member": ("callId userId kind muted", ""),
    "call:record": ("callId on", ""),
    "call:test": ("sdp", "sdp"),
    "call:test-result": ("", "verdict loss roundTripMs kbitPerS"),
    "call:test-end": ("", ""),
    "call:sync": ("callId sinceVersion", "callId state version events"),
    "companion:chat": ("companionId message conversationId clientId", "conversationId messageId"),
    "companion:cancel": ("messageId", ""),
    "auth:refresh": ("token", "expiresAt"),
}
"""Fields that clients rely on: of the payload, and of the acknowledgement's data."""
SERVER_EVENTS = {
    "session:ready": "userId sessionId connectionId nodeId expiresAt recovered unreadNotifications",
    "session:revoked": "reason",
    "session:expiring": "expiresAt",
    "hub:draining": "reconnectAfterMs",
    "hub:error": "event error",
    "hub:disconnected": "reason",
    "content:new": "content timestamp",
    "content:updated": "contentId",
    "content:removed": "contentId",
    "room:message": "roomId messageId seq from body sentAt",
    "room:member": "roomId userId joined version",
    "room:count": "room count version",
    "typing:update": "room userId typing",
    "presence:diff": "users",
    "collab:update": "documentId update",
    "collab:awareness": "documentId update",
    "collab:access": "documentId access",
    "document:comment": "documentId threadId commentId change",
    "call:incoming": "callId initiator type members expiresAt",
    "call:signal": "callId from version signal",
    "call:accepted": "callId version",
    "call:cancelled": "callId version reason",
    "call:ended": "callId version reason",
    "call:state": "callId version",
    "call:media": "callId version from audioMuted videoMuted screen streams",
    "call:move": "callId version engine gen",
    "call:tracks": "callId streams recorded",
    "companion:typing": "companionId conversationId typing",
    "companion:delta": "messageId seq text",
    "companion:done": "messageId text responder memories emotion suggestedActions",
    "chain:transaction": "transactionId kind state hash tokenId error",
}
HTTP_ONLY = {"bad_request", "forbidden_origin", "method_not_allowed"}


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    async def described() -> dict[str, str]:
        return dict(describe())

    return asyncio.run(described())  # asyncpg makes no pool without a loop, not even one that never connects


@pytest.fixture(scope="module")
def wire(documents: dict[str, str]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(documents["wire.json"])
    return content


def test_the_committed_documents_are_up_to_date(documents: dict[str, str]) -> None:
    for name, text in documents.items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, f"run: ./sparkle schema ({name})"


def test_every_event_has_the_fields_that_clients_rely_on(wire: dict[str, Any]) -> None:
    def fields(schema: dict[str, Any]) -> set[str]:
        if "anyOf" in schema:
            return {field for one in schema["anyOf"] for field in fields(one)}
        return set(wire["structs"][schema["$ref"].rpartition("/")[2]]["properties"])

    assert wire["clientEvents"].keys() == CLIENT_EVENTS.keys()
    for name, (payload, data) in CLIENT_EVENTS.items():
        assert fields(wire["clientEvents"][name]["payload"]) == set(payload.split()), name
        assert fields(wire["clientEvents"][name]["data"]) >= set(data.split()), name
    assert wire["serverEvents"].keys() == SERVER_EVENTS.keys()
    for name, needed in SERVER_EVENTS.items():
        assert fields(wire["serverEvents"][name]) >= set(needed.split()), name


def test_every_event_and_operation_says_how_often(wire: dict[str, Any], documents: dict[str, str]) -> None:
    assert all(event["limit"].keys() == {"perMinute", "burst"} for event in wire["clientEvents"].values())
    limits = [
        operation["x-limit"]
        for path in json.loads(documents["openapi.json"])["paths"].values()
        for operation in path.values()
    ]
    assert all(limit.keys() == {"of", "perMinute", "burst"} for limit in limits)
    assert {limit["of"] for limit in limits} == {"user", "address"}


def test_what_costs_others_or_money_may_be_done_less_often_than_what_costs_nothing(
    wire: dict[str, Any], documents: dict[str, str]
) -> None:
    events = {name: event["limit"]["perMinute"] for name, event in wire["clientEvents"].items()}
    strict = {"call:initiate", "call:invite", "call:transfer", "call:test", "companion:chat"}
    assert max(events[name] for name in strict) * 5 < min(events[name] for name in events.keys() - strict)
    assert events["collab:change"] >= 20 * 60
    assert events["collab:awareness"] >= 30 * 60
    paths = json.loads(documents["openapi.json"])["paths"]
    for path in ("/auth/signup", "/blockchain/nft/mint", "/ai/companions/{companionId}/chat"):
        assert paths[f"/api/v1{path}"]["post"]["x-limit"]["perMinute"] <= 60, path


def test_a_volatile_message_has_an_answer_of_its_own(wire: dict[str, Any]) -> None:
    answers = wire["clientEvents"]["room:send"]["data"]["anyOf"]
    assert [answer["$ref"].rpartition("/")[2] for answer in answers] == ["Sent", "Nothing"]


def test_errors_of_http_alone_are_in_the_catalogue(wire: dict[str, Any]) -> None:
    assert wire["errors"].keys() >= HTTP_ONLY


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
