"""Document tokens: what they say cannot be changed, and ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.tokens import MAX_TTL_S, DocumentTokens, NewDocumentToken, Pass
from hub.kernel.errors import TokenExpired, Unauthorized
from hub.kernel.events import Actor
from hub.kernel.ids import SessionId, UserId, new_uuid
from tests.support.clock import FrozenClock
from tests.support.collab import DOCUMENT

ACTOR = Actor(UserId(new_uuid()), SessionId(new_uuid()))


class Everything:
    """Implements hub.kernel.ports.Access."""

    async def check(self, *_: object) -> None:
        """It is allowed."""

    async def blocked(self, *_: object) -> bool:
        return False

    async def blocked_among(self, *_: object) -> frozenset[str]:
        return frozenset()

    async def blocked_pairs(self, *_: object) -> frozenset[tuple[str, str]]:
        return frozenset()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def tokens(clock: FrozenClock) -> DocumentTokens:
    return DocumentTokens(b"s" * 32, Everything(), clock)


async def test_a_token_says_what_it_was_made_for_until_it_ends(tokens: DocumentTokens, clock: FrozenClock) -> None:
    token = (await tokens.issue(ACTOR, DOCUMENT, NewDocumentToken(access="read", ttl=60))).token
    for _ in range(2):
        assert tokens.read(token) == Pass(DOCUMENT, ACTOR, may_write=False)
    clock.advance(59.9)
    tokens.read(token)
    clock.advance(0.1)
    with pytest.raises(TokenExpired):
        tokens.read(token)


async def test_no_other_secret_makes_one(tokens: DocumentTokens, clock: FrozenClock) -> None:
    other = DocumentTokens(b"t" * 32, Everything(), clock)
    token = (await other.issue(ACTOR, DOCUMENT, NewDocumentToken(access="write", ttl=MAX_TTL_S))).token
    with pytest.raises(Unauthorized):
        tokens.read(token)


@given(st.data())
def test_whatever_is_changed_in_one_makes_it_invalid(data: st.DataObject) -> None:
    clock = FrozenClock()
    tokens = DocumentTokens(b"s" * 32, Everything(), clock)
    issuing = tokens.issue(ACTOR, DOCUMENT, NewDocumentToken(access="read"))
    with pytest.raises(StopIteration) as done:
        issuing.send(None)
    token: str = done.value.value.token
    signed = token.rpartition(".")[0]
    at = data.draw(st.integers(0, len(signed) - 1))
    changed = signed[:at] + data.draw(st.characters().filter(lambda one: one != signed[at])) + token[at + 1 :]
    with pytest.raises(Unauthorized):
        tokens.read(changed)


@given(st.text(max_size=2000))
def test_any_text_is_refused_cleanly(text: str) -> None:
    tokens = DocumentTokens(b"s" * 32, Everything(), FrozenClock())
    for token in (text, f"doc.{text}", f"doc.{text}.{text}"):
        with pytest.raises(Unauthorized):
            tokens.read(token)
