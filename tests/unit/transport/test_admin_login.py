"""hub.transport.socketio.admin.login: who is let in, and for how long."""

from typing import Any

import pytest

from hub.transport.socketio.admin.login import SESSION_S, Login
from tests.support.clock import FrozenClock

ADA = {"username": "ada", "password": "correct horse"}
BOB = {"username": "bob", "password": "battery staple"}


async def test_one_login_is_compared_whole() -> None:
    login = Login(ADA, FrozenClock())
    assert await login.admits({"password": "correct horse", "username": "ada"})
    wrong: list[Any] = [None, {}, [], "ada", BOB, {**ADA, "more": 1}, {"username": "ada"}, {**ADA, "password": b"x"}]
    assert [await login.admits(given) for given in wrong] == [False] * len(wrong)


async def test_several_logins_are_all_good() -> None:
    login = Login([ADA, BOB], FrozenClock())
    assert [await login.admits(given) for given in (ADA, BOB, {**ADA, "password": "battery staple"})] == [
        *(True, True, False),
    ]


async def test_a_function_or_a_coroutine_function_decides() -> None:
    async def later(given: Any) -> bool:
        return bool(given == {"token": "sesame"})

    for login in (Login(lambda given: given == {"token": "sesame"}, FrozenClock()), Login(later, FrozenClock())):
        assert await login.admits({"token": "sesame"})
        assert not await login.admits({"token": "open"})
        assert login.session_for({"token": "sesame"}) is None, "a session would outlast what the function says"


async def test_false_lets_everybody_in_and_nothing_else_does() -> None:
    assert await Login(False, FrozenClock()).admits(None)
    nothings: list[Any] = [None, {}, []]
    for nothing in nothings:
        with pytest.raises(ValueError, match="auth must be"):
            Login(nothing, FrozenClock())


async def test_a_session_is_good_for_a_day_and_on_every_server_with_the_same_login() -> None:
    clock = FrozenClock()
    session = {"sessionId": Login(ADA, clock).session_for(ADA)}
    elsewhere = Login(ADA, clock)
    assert await elsewhere.admits(session)
    clock.advance(SESSION_S - 1)
    assert await elsewhere.admits(session)
    clock.advance(1)
    assert not await elsewhere.admits(session)


async def test_other_credentials_end_every_session() -> None:
    clock = FrozenClock()
    session = {"sessionId": Login(ADA, clock).session_for(ADA)}
    assert not await Login({**ADA, "password": "another horse"}, clock).admits(session)


async def test_a_session_cannot_be_made_up_or_made_longer() -> None:
    login = Login(ADA, FrozenClock())
    session = login.session_for(ADA)
    assert session is not None
    ends, _, signature = session.partition(".")
    for forged in (f"{int(ends) + 1}.{signature}", ends, f"{ends}.", f".{signature}", "", "é", 7, None, ["x"]):
        assert not await login.admits({"sessionId": forged}), forged


async def test_a_session_brings_no_other_session() -> None:
    login = Login(ADA, FrozenClock())
    assert login.session_for({"sessionId": login.session_for(ADA)}) is None
    assert login.session_for(BOB) is None
