"""Hashing: right, bounded, and the same work for nobody as for somebody."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from core_api.accounts.passwords import BREACHED, Passwords, is_breached
from hub.kernel.errors import Overloaded
from tests.support.accounts import CHEAP
from tests.support.wait import until


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(msgspec.structs.replace(CHEAP, hash_workers=2, hash_queue=3))
    yield made
    made.close()


class Gate:
    """Stands in for argon2: holds every thread until it is opened, and counts who came in."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside = 0
        self.most = 0
        self._lock = threading.Lock()

    def hash(self, password: str) -> str:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.open.wait(10)
        with self._lock:
            self.inside -= 1
        return f"hash of {password}"


@pytest.fixture
def gate(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(passwords, "_argon2", gate)
    yield gate
    gate.open.set()


async def test_a_password_fits_its_own_hash_only(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "Correct horse")


async def test_a_password_is_the_same_however_the_keyboard_composes_it(passwords: Passwords) -> None:
    assert await passwords.verify(await passwords.hash("caf\u00e9 au lait"), "cafe\u0301 au lait")


async def test_no_account_is_checked_against_a_real_hash_and_never_fits(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Any] = []
    matches = passwords._matches

    def recorded(stored: str, password: str) -> bool:
        checked.append(stored)
        return matches(stored, password)

    monkeypatch.setattr(passwords, "_matches", recorded)
    assert not await passwords.verify(None, "\0")
    parameters = (await passwords.hash("x")).rsplit("$", 2)[0]
    assert checked[0].rsplit("$", 2)[0] == parameters


async def test_a_hash_of_other_parameters_is_outdated(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert not passwords.outdated(stored)
    stronger = Passwords(msgspec.structs.replace(CHEAP, argon2_passes=2))
    assert stronger.outdated(stored)
    stronger.close()


async def test_no_more_run_than_there_are_workers_and_no_more_wait_than_the_queue_takes(
    passwords: Passwords, gate: Gate
) -> None:
    waiting = asyncio.gather(*(passwords.hash(str(number)) for number in range(5)))
    await until(lambda: gate.inside == 2)
    with pytest.raises(Overloaded) as refused:
        await passwords.hash("one too many")
    assert refused.value.retry_after is not None
    gate.open.set()
    assert await waiting == [f"hash of {number}" for number in range(5)]
    assert gate.most == 2
    assert await passwords.hash("again") == "hash of again"


async def test_a_client_that_hangs_up_gives_its_place_back_only_when_the_thread_is_done(
    passwords: Passwords, gate: Gate
) -> None:
    abandoned = asyncio.gather(*(passwords.hash("x") for _ in range(5)))
    await until(lambda: gate.inside == 2)
    abandoned.cancel()
    with pytest.raises(asyncio.CancelledError):
        await abandoned
    # Three were still waiting and are dropped; two run on, so three places are free, not five.
    later = asyncio.gather(*(passwords.hash("x") for _ in range(4)), return_exceptions=True)
    # The refusal comes at once, so the fourth is refused before any thread can have ended.
    await asyncio.sleep(0)
    gate.open.set()
    assert [type(answer) for answer in await later] == [str, str, str, Overloaded]


def test_common_passwords_are_known_in_any_case() -> None:
    assert is_breached("Password1")
    assert is_breached("QWERTYUIOP")
    assert not is_breached("correct horse battery")


def test_the_list_has_only_what_the_length_rule_lets_through() -> None:
    assert len(BREACHED) >= 100
    assert all(len(password) >= 8 and password == password.casefold() for password in BREACHED)
