"""Passwords: argon2id in threads of its own, with a bounded queue."""

import asyncio
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import argon2
from argon2.exceptions import VerificationError

from core_api.accounts.settings import AccountsSettings
from hub.kernel.errors import Overloaded

T = TypeVar("T")

BREACHED = frozenset(Path(__file__).with_name("breached_passwords.txt").read_text(encoding="utf-8").split())
"""The most common passwords of known breaches, of eight characters and more: what a guesser tries first."""
RETRY_AFTER_S = 2.0
"""Twice what a full queue takes, so that those who were refused do not find it full again."""


def is_breached(password: str) -> bool:
    """Whether everybody's list of common passwords has it, in any case of letters."""
    return password.casefold() in BREACHED


class Passwords:
    """Hashes and checks passwords without holding up the loop.

    One hash costs 25 to 50 ms of a core and 19 MiB. The threads (argon2 releases the interpreter lock) bound the
    memory, the queue bounds the wait: what comes on top is refused with Overloaded.
    """

    def __init__(self, settings: AccountsSettings) -> None:
        self._argon2 = argon2.PasswordHasher(
            time_cost=settings.argon2_passes,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_lanes,
        )
        self._threads = ThreadPoolExecutor(settings.hash_workers, thread_name_prefix="argon2")
        self._places = threading.BoundedSemaphore(settings.hash_workers + settings.hash_queue)
        # Of a password that nobody has: checking it costs what checking a real one costs.
        self._nobody = self._argon2.hash("\0")

    async def hash(self, password: str) -> str:
        """The argon2id hash to store. Raises Overloaded."""
        return await self._run(lambda: self._argon2.hash(_normal(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether ``password`` is the one of the hash. Raises Overloaded.

        ``None`` (no such account) is always false and takes as long, so that the time tells nobody who exists.
        """
        matches = await self._run(lambda: self._matches(self._nobody if stored is None else stored, password))
        return matches and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._argon2.check_needs_rehash(stored)

    def close(self) -> None:
        """Drop what waits and end the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._argon2.verify(stored, _normal(password))
        except VerificationError:
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise Overloaded("Too many sign-ins at once. Try again in a moment.", retry_after=RETRY_AFTER_S)
        future = self._threads.submit(work)
        # The place is given back when the thread is done with it, not when the request is: a client that hangs up
        # does not stop a hash that has begun.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)


def _normal(password: str) -> str:
    # "é" is one character on one keyboard and two on another; both are the same password.
    return unicodedata.normalize("NFKC", password)
