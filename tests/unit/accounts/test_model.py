"""Names, addresses, and what the forms let through."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_api.accounts.model import address_prefix, name_key, printable
from core_api.accounts.schema import ProfileChanges, SignUp
from hub.kernel import wire
from hub.kernel.errors import InvalidPayload
from hub.kernel.wire import Uuid

UUID = "0b8f7c1e-5f0a-4d6e-9c1b-2a3d4e5f6a7b"
FORM = {"email": "ada@example.org", "username": "ada_1", "password": "long enough"}


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ada@Example.org", "ada@example.ORG"), ("stra\u00dfe@x.org", "STRASSE@x.org"), ("\uff21da", "ada")],
)
def test_names_that_read_the_same_have_the_same_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@given(st.text())
def test_the_key_of_a_key_is_itself(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("", ""),
    ],
)
def test_an_address_is_kept_as_its_network(address: str, prefix: str) -> None:
    assert address_prefix(address) == prefix


@given(st.text(st.characters(codec=None), max_size=400))
def test_any_user_agent_becomes_text_that_can_be_stored(raw: str) -> None:
    text = printable(raw)
    assert text.encode().decode() == text
    assert "\0" not in text
    assert len(text) <= 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "ada"),
        ("email", "ada@localhost"),
        ("email", "a b@example.org"),
        ("email", "ada@example.org\n"),
        ("email", "ada@exa\0mple.org"),
        ("email", "@example.org"),
        ("email", "a" * 250 + "@x.org"),
        ("username", "ad"),
        ("username", "a" * 31),
        ("username", "ada lovelace"),
        ("username", "ada\n"),
        ("username", "\u0430da"),  # its first letter is Cyrillic
        ("password", "1234567"),
        ("password", "x" * 129),
        ("referralCode", "a\0b"),
    ],
)
def test_a_form_with_a_bad_field_is_refused_naming_it(field: str, value: str) -> None:
    with pytest.raises(InvalidPayload) as refused:
        wire.decode(FORM | {field: value}, SignUp)
    assert [error["pointer"] for error in refused.value.details["errors"]] == [f"/{field}"]


@pytest.mark.parametrize("form", [FORM, FORM | {"username": "A_9"}, FORM | {"email": "o'hara+x@b\u00fccher.example"}])
def test_a_good_form_is_taken(form: dict[str, Any]) -> None:
    assert wire.decode(form, SignUp).username == form["username"]


@pytest.mark.parametrize("bio", ["a\0b", "\x1b[31m", "x" * 501])
def test_a_bio_that_cannot_be_stored_or_shown_is_refused(bio: str) -> None:
    with pytest.raises(InvalidPayload):
        wire.decode({"bio": bio}, ProfileChanges)


def test_a_bio_may_have_several_lines_and_any_script() -> None:
    assert wire.decode({"bio": "one\n\ttwo\n三\n"}, ProfileChanges).bio == "one\n\ttwo\n三\n"


@pytest.mark.parametrize("text", [f"{UUID}\n", UUID.upper(), f" {UUID}", "me", ""])
def test_what_is_not_exactly_an_id_never_reaches_the_database(text: str) -> None:
    with pytest.raises(InvalidPayload):
        wire.decode(text, Uuid)
