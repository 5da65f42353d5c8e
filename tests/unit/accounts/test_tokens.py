"""Access tokens: what is taken, and every way known to us of forging one."""

import base64
import hmac
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey

from core_api.accounts.authenticator import AccessTokenAuthenticator
from core_api.accounts.model import Status
from core_api.accounts.settings import AccountsSettings
from core_api.accounts.signing_key import SigningKey, new_key
from core_api.accounts.tokens import ALGORITHM, TokenSigner, TokenVerifier, VerifiedToken
from hub.kernel.errors import Suspended, TokenExpired, Unauthorized, Unavailable
from hub.kernel.ids import SessionId, UserId, new_uuid
from hub.kernel.ports import Authenticator, Credentials
from tests.support.accounts import RecordedRevocations
from tests.support.clock import FrozenClock

SETTINGS = AccountsSettings(access_token_s=600)
KEY = new_key()
ADA = UserId(new_uuid())
SESSION = SessionId(new_uuid())
NOW_S = 1_800_000_000
HEADER = {"alg": ALGORITHM, "typ": "at+jwt", "kid": KEY.kid}
CLAIMS: dict[str, Any] = {
    "iss": "sparkle-hub",
    "aud": "sparkle-hub",
    "sub": ADA,
    "sid": SESSION,
    "jti": "1",
    "iat": NOW_S,
    "exp": NOW_S + 600,
}


class Setup:
    """A signer and a verifier on one frozen clock."""

    def __init__(self, **options: Any) -> None:
        self.clock = FrozenClock(NOW_S * 1000)
        self.signer = TokenSigner(KEY, SETTINGS, self.clock)
        self.verifier = TokenVerifier([KEY], SETTINGS, self.clock, **options)


def signed(claims: object, header: dict[str, Any] = HEADER, key: SigningKey = KEY) -> str:
    return jws.serialize_compact(header, msgspec.json.encode(claims), key.pair, algorithms=[ALGORITHM])


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def refuse(text: str) -> None:
    with pytest.raises(Unauthorized):
        Setup().verifier.verify(text)


def test_a_signed_token_speaks_for_its_user_and_session_until_it_expires() -> None:
    setup = Setup()
    token = setup.signer.sign(ADA, SESSION)
    verified = setup.verifier.verify(token.text)
    assert (verified.actor.user_id, verified.actor.session_id) == (ADA, SESSION)
    assert verified.expires_at_ms == token.expires_at_ms == (NOW_S + 600) * 1000


def test_a_token_says_seconds_its_key_and_its_type_and_nothing_private() -> None:
    token = jws.deserialize_compact(Setup().signer.sign(ADA, SESSION).text, KEY.pair, algorithms=[ALGORITHM])
    claims = msgspec.json.decode(token.payload)
    assert token.headers() == HEADER
    assert claims == CLAIMS | {"jti": claims["jti"]}


def test_no_two_tokens_are_the_same() -> None:
    setup = Setup()
    assert setup.signer.sign(ADA, SESSION).text != setup.signer.sign(ADA, SESSION).text


def test_a_token_expires_to_the_millisecond_remembered_or_not() -> None:
    setup = Setup()
    token = setup.signer.sign(ADA, SESSION).text
    setup.clock.advance(599.999)
    setup.verifier.verify(token)
    setup.clock.advance(0.001)
    for verifier in (setup.verifier, TokenVerifier([KEY], SETTINGS, setup.clock)):
        with pytest.raises(TokenExpired):
            verifier.verify(token)


def test_without_a_signature_nothing_is_believed() -> None:
    payload = b64(msgspec.json.encode(CLAIMS))
    for algorithm in ("none", "None", "NONE"):
        header = b64(msgspec.json.encode(HEADER | {"alg": algorithm}))
        refuse(f"{header}.{payload}.")
        refuse(f"{header}.{payload}.{b64(b'x' * 64)}")


@pytest.mark.parametrize("secret", ["pem", "der", "raw", "jwk"])
def test_the_public_key_is_no_shared_secret(secret: str) -> None:
    pair = OKPKey.import_key(KEY.pair.as_pem(private=False))
    public = {
        "pem": pair.as_pem(private=False),
        "der": pair.as_der(private=False),
        "raw": base64.urlsafe_b64decode(str(pair.as_dict()["x"]) + "="),
        "jwk": msgspec.json.encode(pair.as_dict()),
    }[secret]
    signing_input = f"{b64(msgspec.json.encode(HEADER | {'alg': 'HS256'}))}.{b64(msgspec.json.encode(CLAIMS))}"
    refuse(f"{signing_input}.{b64(hmac.digest(public, signing_input.encode(), 'sha256'))}")


def test_a_key_that_the_token_brings_itself_is_not_used() -> None:
    theirs = new_key()
    for header in (
        HEADER | {"kid": theirs.kid},
        HEADER | {"jwk": theirs.pair.as_dict(private=False)},
        HEADER,
        {"alg": ALGORITHM, "typ": "at+jwt"},
    ):
        refuse(signed(CLAIMS, header, theirs))


@pytest.mark.parametrize("header", [{"kid": "other"}, {"typ": "JWT"}, {"typ": "rt+jwt"}])
def test_a_header_that_is_not_ours_is_refused_although_the_signature_is(header: dict[str, Any]) -> None:
    refuse(signed(CLAIMS, HEADER | header))


@pytest.mark.parametrize("missing", ["typ", "kid"])
def test_a_header_must_say_type_and_key(missing: str) -> None:
    refuse(signed(CLAIMS, {name: value for name, value in HEADER.items() if name != missing}))


@pytest.mark.parametrize("missing", sorted(CLAIMS))
def test_every_claim_is_required(missing: str) -> None:
    refuse(signed({name: value for name, value in CLAIMS.items() if name != missing}))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "another-hub"},
        {"aud": "another-hub"},
        {"aud": ["sparkle-hub"]},
        {"sub": "ada"},
        {"sid": "s"},
        {"jti": ""},
        {"exp": str(NOW_S + 600)},
        {"exp": NOW_S + 600.5},
        {"exp": None},
        {"iat": NOW_S * 1000, "exp": NOW_S * 1000 + 600},
        {"iat": NOW_S * 1000, "exp": (NOW_S + 600) * 1000},
        {"exp": (NOW_S + 600) * 1000},
        {"exp": NOW_S + 601},
        {"exp": NOW_S},
        {"iat": NOW_S + 31, "exp": NOW_S + 600},
    ],
    ids=str,
)
def test_a_claim_that_is_not_ours_is_refused_although_the_signature_is(claims: dict[str, Any]) -> None:
    refuse(signed(CLAIMS | claims))


def test_a_node_whose_clock_is_a_little_ahead_is_believed() -> None:
    Setup().verifier.verify(signed(CLAIMS | {"iat": NOW_S + 30, "exp": NOW_S + 630}))


@given(st.data())
def test_a_token_with_any_character_changed_is_refused(data: st.DataObject) -> None:
    setup = Setup()
    text = setup.signer.sign(ADA, SESSION).text
    # The last character of an unpadded base64 string has bits that mean nothing.
    place = data.draw(st.integers(0, len(text) - 2).filter(lambda at: text[at + 1] != "." and text[at] != "."))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != text[place]))
    with pytest.raises(Unauthorized):
        setup.verifier.verify(text[:place] + other + text[place + 1 :])


@given(st.text() | st.text("abc.", max_size=30) | st.just("a" * 10_000))
def test_anything_else_is_refused_and_nothing_escapes(text: str) -> None:
    refuse(text)


def test_a_token_of_a_key_that_is_being_replaced_is_still_taken() -> None:
    setup = Setup()
    newer = new_key()
    verifier = TokenVerifier([newer, KEY], SETTINGS, setup.clock)
    assert verifier.verify(setup.signer.sign(ADA, SESSION).text).actor.user_id == ADA
    assert verifier.verify(TokenSigner(newer, SETTINGS, setup.clock).sign(ADA, SESSION).text).actor.user_id == ADA


def test_a_verified_token_is_not_verified_again_and_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Setup(cache_size=2)
    checked: list[str] = []
    check = setup.verifier._check

    def recorded(text: str) -> VerifiedToken:
        checked.append(text)
        return check(text)

    monkeypatch.setattr(setup.verifier, "_check", recorded)
    one, two, three = (setup.signer.sign(ADA, SESSION).text for _ in range(3))
    for text in (one, two, one, three, one, two):
        setup.verifier.verify(text)
    assert checked == [one, two, three, two]
    assert len(setup.verifier._verified) == 2


class OneStatus:
    def __init__(self, status: Status | None) -> None:
        self.answer: Status | None = status
        self.asked = 0

    async def status(self, user_id: UserId) -> Status | None:
        self.asked += 1
        return self.answer


def authenticator(setup: Setup, revocations: RecordedRevocations, statuses: OneStatus) -> Authenticator:
    return AccessTokenAuthenticator(setup.verifier, revocations, statuses)


async def test_a_good_token_needs_no_look_at_the_database() -> None:
    setup, statuses = Setup(), OneStatus("active")
    token = setup.signer.sign(ADA, SESSION)
    found: Credentials = await authenticator(setup, RecordedRevocations(), statuses).authenticate(token.text)
    assert (found.actor.user_id, found.expires_at_ms, statuses.asked) == (ADA, token.expires_at_ms, 0)


@pytest.mark.parametrize(
    ("status", "error"), [("active", Unauthorized), (None, Unauthorized), ("suspended", Suspended)]
)
async def test_the_token_of_an_ended_session_is_refused_and_a_suspension_is_told(
    status: Status | None, error: type[Exception]
) -> None:
    setup = Setup()
    revocations = RecordedRevocations({SESSION: "signed_out"})
    with pytest.raises(error):
        await authenticator(setup, revocations, OneStatus(status)).authenticate(setup.signer.sign(ADA, SESSION).text)


async def test_an_outage_is_an_outage_and_neither_a_refusal_nor_a_pass() -> None:
    setup = Setup()
    with pytest.raises(Unavailable):
        await authenticator(setup, RecordedRevocations(down=True), OneStatus("active")).authenticate(
            setup.signer.sign(ADA, SESSION).text
        )
