"""Connectivity checks: whose they are, and which are answered."""

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from signaling.media.embedded import ice_lite
from signaling.media.embedded.ice_lite import Credentials

OURS = Credentials.random()
CLIENT = ("192.0.2.7", 4000)


def check(password: str = OURS.password, *, nominate: bool = False, method: stun.Method = stun.Method.BINDING) -> bytes:
    message = stun.Message(method, stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{OURS.username}:theirs"
    message.attributes["PRIORITY"] = 1
    if nominate:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(password.encode())
    return bytes(message)


@pytest.mark.parametrize("client", [CLIENT, ("2001:db8::7", 65_535)])
@pytest.mark.parametrize("nominate", [True, False])
def test_a_check_is_answered_with_the_clients_address(nominate: bool, client: tuple[str, int]) -> None:
    check_sent = check(nominate=nominate)
    read = ice_lite.read(check_sent)
    assert read is not None
    assert read.username == OURS.username
    answer = ice_lite.answer(read, OURS, client)
    assert answer is not None
    assert answer.nominated is nominate
    response = stun.parse_message(answer.data)  # which looks at the fingerprint
    assert response.message_class == stun.Class.RESPONSE
    assert response.transaction_id == stun.parse_message(check_sent).transaction_id
    assert list(response.attributes) == ["XOR-MAPPED-ADDRESS", "MESSAGE-INTEGRITY", "FINGERPRINT"]
    assert response.attributes["XOR-MAPPED-ADDRESS"] == client
    assert response.check_message_integrity(OURS.password.encode())


def test_who_does_not_know_the_password_gets_no_answer() -> None:
    read = ice_lite.read(check("w" * 24))
    assert read is not None
    assert ice_lite.answer(read, OURS, CLIENT) is None


def test_what_is_no_check_is_none() -> None:
    assert ice_lite.read(check(method=stun.Method.ALLOCATE)) is None
    assert ice_lite.read(bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE))) is None
    assert ice_lite.read(bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))) is None


@given(st.binary(max_size=100))
def test_any_bytes_are_a_check_or_none(data: bytes) -> None:
    ice_lite.read(data)
    attributes = data[: len(data) // 4 * 4]
    ice_lite.read(b"\x00\x01" + len(attributes).to_bytes(2) + b"\x21\x12\xa4\x42" + bytes(12) + attributes)


def test_what_stands_behind_the_digest_is_not_believed() -> None:
    message = check()[:-8]  # without the checksum
    nomination = b"\x00\x25\x00\x00"
    read = ice_lite.read(message[:2] + (len(message) - 20 + 4).to_bytes(2) + message[4:] + nomination)
    assert read is not None
    answer = ice_lite.answer(read, OURS, CLIENT)
    assert answer is not None
    assert not answer.nominated


@given(st.integers(20, 40), st.binary(min_size=1, max_size=8))
def test_a_damaged_check_is_never_answered(at: int, damage: bytes) -> None:
    whole = check()[:-8]  # without the checksum at its end
    whole = whole[:2] + (len(whole) - 20).to_bytes(2, "big") + whole[4:]
    damaged = whole[:at] + damage + whole[at + len(damage) :]
    read = ice_lite.read(damaged)
    if damaged != whole and read is not None:
        assert ice_lite.answer(read, OURS, CLIENT) is None


def test_an_earlier_address_is_preferred() -> None:
    first, second = (ice_lite.candidate(("192.0.2.1", 5), number).split() for number in range(2))
    assert int(first[3]) > int(second[3])
    assert first[:2] + first[4:] == ["candidate:1", "1", "192.0.2.1", "5", "typ", "host"]
