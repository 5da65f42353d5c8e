"""core_api.chain.siwe: the grammar of EIP-4361, both ways."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core_api.chain import siwe
from core_api.chain.siwe import SiweError, SiweMessage, differences, parse, timestamp

ADDRESS = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
FULL = f"""https://example.com:3388 wants you to sign in with your Ethereum account:
{ADDRESS}

I accept the ExampleOrg Terms of Service: https://example.com/tos

URI: https://example.com/login
Version: 1
Chain ID: 1
Nonce: 32891756
Issued At: 2021-09-30T16:25:24Z
Expiration Time: 2021-10-30T16:25:24.123Z
Not Before: 2021-09-30T16:25:24+02:00
Request ID: some%20id
Resources:
- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/
- https://example.com/my-web2-claim.json"""
SHORT = f"""example.com wants you to sign in with your Ethereum account:
{ADDRESS}


URI: https://example.com/login
Version: 1
Chain ID: 31337
Nonce: abcDEF12
Issued At: 2021-09-30T16:25:24Z"""


def message(**changes: Any) -> SiweMessage:
    fields: dict[str, Any] = {
        "domain": "hub.example",
        "address": ADDRESS,
        "uri": "https://hub.example",
        "chain_id": 1,
        "nonce": "12345678",
        "issued_at": "2026-11-23T00:00:00Z",
    }
    return SiweMessage(**fields | changes)


def test_every_field_is_found() -> None:
    assert parse(FULL) == SiweMessage(
        scheme="https",
        domain="example.com:3388",
        address=ADDRESS,
        statement="I accept the ExampleOrg Terms of Service: https://example.com/tos",
        uri="https://example.com/login",
        chain_id=1,
        nonce="32891756",
        issued_at="2021-09-30T16:25:24Z",
        expiration_time="2021-10-30T16:25:24.123Z",
        not_before="2021-09-30T16:25:24+02:00",
        request_id="some%20id",
        resources=(
            "ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/",
            "https://example.com/my-web2-claim.json",
        ),
    )


def test_what_may_be_left_out_is_none() -> None:
    assert parse(SHORT) == message(
        domain="example.com",
        uri="https://example.com/login",
        chain_id=31337,
        nonce="abcDEF12",
        issued_at="2021-09-30T16:25:24Z",
    )


@pytest.mark.parametrize("text", [FULL, SHORT, f"{SHORT}\nResources:", f"{SHORT}\nRequest ID: "])
def test_a_text_comes_back_as_it_was(text: str) -> None:
    assert str(parse(text)) == text


def matching(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern, fullmatch=True, alphabet=st.characters(codec="ascii"))


URIS = matching(siwe._URI)
TIMES = st.datetimes(timezones=st.just(UTC)).map(timestamp)


@given(
    st.builds(
        SiweMessage,
        scheme=st.none() | matching(siwe._SCHEME),
        domain=matching(siwe._AUTHORITY),
        address=matching("0x[0-9a-fA-F]{40}"),
        statement=st.none() | matching(siwe._STATEMENT),
        uri=URIS,
        chain_id=st.integers(1, 2**256 - 1),
        nonce=matching("[A-Za-z0-9]{8,}"),
        issued_at=TIMES,
        expiration_time=st.none() | TIMES,
        not_before=st.none() | TIMES,
        request_id=st.none() | matching(f"{siwe._PCHAR}*"),
        resources=st.none() | st.lists(URIS, max_size=2).map(tuple),
    )
)
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
def test_any_message_of_the_grammar_comes_back_as_it_was(message: SiweMessage) -> None:
    assert parse(str(message)) == message


PIECES = st.text(st.sampled_from("aZ0 -:/.\n[]%@#?é\u2028\r\t=&") | st.characters(), max_size=12)
HOSTILE = PIECES | st.sampled_from(["URI: https://evil.example", "x\n\nURI: https://evil.example", "a b", "%zz", ""])


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "scheme": HOSTILE,
            "domain": HOSTILE,
            "address": HOSTILE,
            "statement": HOSTILE,
            "uri": HOSTILE,
            "chain_id": st.integers(-5, 2**70),
            "nonce": HOSTILE,
            "issued_at": HOSTILE,
            "request_id": HOSTILE,
            "resources": st.lists(HOSTILE, max_size=2).map(tuple),
        },
    )
)
@example({"statement": "Hello\n\nURI: https://evil.example"})
@example({"resources": ("https://a.example\nhttps://b.example",)})
@example({"request_id": "1\nResources:\n- a:b"})
@example({"domain": "hub.example wants you to sign in with your Ethereum account:\nevil.example"})
def test_no_field_can_be_read_as_another(changes: dict[str, Any]) -> None:
    chosen = message(**changes)
    try:
        text = str(chosen)
    except SiweError:
        return
    assert parse(text) == chosen


@given(st.text(max_size=40), st.integers(0, len(SHORT)), st.integers(0, 5))
def test_of_an_altered_text_nothing_is_lost(inserted: str, place: int, removed: int) -> None:
    altered = SHORT[:place] + inserted + SHORT[place + removed :]
    try:
        parsed = parse(altered)
    except SiweError:
        return
    assert str(parsed) == altered
    assert (differences(parsed, parse(SHORT)) == []) == (altered == SHORT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Version: 1", "Version: 2"),
        ("Chain ID: 31337", "Chain ID: 0x7a69"),
        ("Chain ID: 31337", "Chain ID: 031337"),
        ("Chain ID: 31337", "Chain ID: \u0663"),
        ("Nonce: abcDEF12", "Nonce: abcDEF1"),
        ("Nonce: abcDEF12", "Nonce: abcDEF1!"),
        ("Issued At: 2021-09-30", "Issued At: 2021-02-30"),
        ("Issued At: 2021-09-30T", "Issued At: 2021-09-30 "),
        ("16:25:24Z", "16:25:24"),
        ("URI: https://example.com/login", "URI: /login"),
        ("URI: https://example.com/login", "URI: https://example.com/ login"),
        ("URI: https://example.com/login", "URI: https://example.com/%4"),
        ("example.com wants", " wants"),
        ("example.com wants", "exa mple.com wants"),
        ("example.com wants", "ex\u0430mple.com wants"),
        ("account:\n", "account:\r\n"),
        (ADDRESS, ADDRESS[:-1]),
        (ADDRESS, "0X" + ADDRESS[2:]),
        ("\n\n\nURI", "\n\nURI"),
        ("\n\n\nURI", "\n\nline one\nline two\n\nURI"),
        ("\n\n\nURI", "\n\nemoji \U0001f600\n\nURI"),
        ("URI: https://example.com/login\nVersion: 1", "Version: 1\nURI: https://example.com/login"),
    ],
)
def test_what_is_not_in_the_grammar_is_refused(old: str, new: str) -> None:
    assert old in SHORT
    with pytest.raises(SiweError):
        parse(SHORT.replace(old, new))


@pytest.mark.parametrize("text", ["", "\n", SHORT + "\n", " " + SHORT, SHORT + "\nNonce: 12345678", SHORT + "\0"])
def test_nothing_may_stand_around_it(text: str) -> None:
    with pytest.raises(SiweError):
        parse(text)


@pytest.mark.parametrize("text", ["a" * 100_000, "a@" * 50_000, "%41" * 33_000, "a.b:1" * 20_000, "[" * 100_000])
@pytest.mark.timeout(5)
def test_a_long_text_takes_no_long_time(text: str) -> None:
    for hostile in (text, SHORT.replace("login", text), SHORT.replace("\n\n\n", f"\n\n{text}\n\n") + "\n"):
        try:
            parse(hostile)
        except SiweError:
            continue


def test_differences_have_the_names_of_the_fields() -> None:
    assert differences(message(), message(chain_id=2, nonce="87654321")) == ["chain_id", "nonce"]


def test_a_timestamp_is_utc_with_milliseconds() -> None:
    assert timestamp(datetime(2026, 11, 23, 1, 2, 3, 4_999, tzinfo=UTC)) == "2026-11-23T01:02:03.004Z"
