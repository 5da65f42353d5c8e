"""Payloads that fit no event, for every event of docs/wire.json: refused one by one, and nothing else happens."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.hub_process import HubProcess
from tests.support.rest import Person
from tests.support.socket_client import socket_client

WIRE = json.loads((Path(__file__).parents[3] / "docs" / "wire.json").read_text(encoding="utf-8"))
EVENTS = sorted(WIRE["clientEvents"])

integers = st.integers(-(2**63), 2**64 - 1)  # orjson, which the client encodes with too, refuses to write others
scalars = st.one_of(st.booleans(), integers, st.floats(allow_nan=False, allow_infinity=False), st.text())
values = st.recursive(
    st.none() | scalars | st.binary(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def payloads(event: str) -> st.SearchStrategy[Any]:
    """Nothing that could fit: no object at all, or an object with a field that no event has.

    The event's own fields are often there, with values of any type.
    """
    described = WIRE["clientEvents"][event]["payload"]
    struct = WIRE["structs"][described["$ref"].rpartition("/")[2]]
    fields = st.fixed_dictionaries({}, optional=dict.fromkeys(struct["properties"], values))
    strange = st.dictionaries(st.text(max_size=8).map("?".__add__), values, min_size=1, max_size=2)
    objects = st.tuples(fields, strange).map(lambda both: both[0] | both[1])
    text = st.text(max_size=80).map("?".__add__)
    return st.one_of(objects, objects, text, integers, st.booleans(), st.binary(), st.lists(values, max_size=3))


@pytest.mark.parametrize("event", EVENTS)
@settings(max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_payloads_that_fit_nothing_are_refused_and_the_connection_stays(
    hub: HubProcess, ada: Person, event: str, data: st.DataObject
) -> None:
    async with socket_client(hub.url, ada.token) as client:
        for payload in data.draw(st.lists(payloads(event), min_size=12, max_size=12)):
            error = await client.refused(event, payload)
            assert error["code"] == "invalid_payload", (payload, error)
            assert error["temporary"] is False
            assert error["errors"]
        assert await client.ok("presence:get", {"userIds": []}) == {"users": []}
    assert "Traceback" not in hub.output, hub.output


async def test_events_that_fit_but_make_no_sense_are_refused_with_a_code(hub: HubProcess, ada: Person) -> None:
    nobody, no_call = "00000000-0000-7000-8000-000000000000", "00000000000000000000000000"
    senseless = {
        "call:accept": {"callId": no_call},
        "call:signal": {"callId": no_call, "seq": 1, "signal": {"type": "offer", "sdp": "v=0"}},
        "call:initiate": {"to": ada.id, "type": "audio"},
        "collab:change": {"documentId": nobody, "update": b"\x00\x00"},
        "collab:join": {"documentId": nobody, "stateVector": b"\xff\xff\xff"},
        "content:subscribe": nobody,
        "presence:members": {"room": f"doc:{nobody}"},
        "room:join": {"roomId": nobody},
        "room:send": {"roomId": nobody, "clientId": "1", "body": None},
        "typing:start": {"room": f"room:{nobody}"},
    }
    async with socket_client(hub.url, ada.token) as client:
        for event, payload in senseless.items():
            error = await client.refused(event, payload)
            assert error["code"] in WIRE["errors"], (event, error)
            assert error["code"] != "internal", (event, error)
