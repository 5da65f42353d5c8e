"""Accounts on a real PostgreSQL, with everything else in memory and argon2 at its cheapest."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec

from core_api.accounts.authenticator import AccessTokenAuthenticator
from core_api.accounts.passwords import Passwords
from core_api.accounts.people import People
from core_api.accounts.refresh import RefreshTokens
from core_api.accounts.schema import SignedIn, SignIn, SignUp
from core_api.accounts.service import Accounts
from core_api.accounts.settings import AccountsSettings
from core_api.accounts.signing_key import SigningKey, new_key
from core_api.accounts.staff import Staff, suspension_sinks
from core_api.accounts.store import SUSPENDED
from core_api.accounts.store_postgres import PostgresAccounts
from core_api.accounts.store_postgres_people import PostgresPeople
from core_api.accounts.store_postgres_staff import PostgresStaff
from core_api.accounts.tokens import TokenSigner, TokenVerifier
from hub.kernel.errors import RateLimited, Unavailable
from hub.kernel.events import Actor
from hub.kernel.http import Client
from hub.kernel.ids import SessionId, UserId, new_uuid
from hub.storage.postgres import create_pool
from tests.support.clock import FrozenClock

CHEAP = AccountsSettings(argon2_memory_kib=8, argon2_passes=1)
PASSWORD = "correct horse battery"
WAITING_QUERIES = """
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""
CLIENT = Client("192.0.2.7", "Firefox")


@dataclass
class RecordedRevocations:
    """Implements hub.kernel.ports.Revocations in memory."""

    revoked: dict[SessionId, str] = field(default_factory=dict)
    closed: list[UserId] = field(default_factory=list)
    """Whose connections were all closed."""
    down: bool = False

    async def revoke(self, session_id: SessionId, reason: str) -> None:
        if self.down:
            raise Unavailable
        self.revoked[session_id] = reason

    async def revoke_all(self, user_id: UserId, session_ids: Sequence[SessionId], reason: str) -> None:
        if self.down:
            raise Unavailable
        self.revoked |= dict.fromkeys(session_ids, reason)
        self.closed.append(user_id)

    async def is_revoked(self, session_id: SessionId) -> bool:
        if self.down:
            raise Unavailable
        return session_id in self.revoked


@dataclass
class CountingLimiter:
    """Implements hub.kernel.ports.RateLimiter: counts, and refuses after ``burst``; nothing comes back with time."""

    taken: dict[str, int] = field(default_factory=dict)

    async def take(self, key: str, *, per_minute: int, burst: int) -> None:
        self.taken[key] = self.taken.get(key, 0) + 1
        if self.taken[key] > burst:
            raise RateLimited(retry_after=60 / per_minute)


@dataclass
class AccountsStack:
    """The accounts part of a hub; several of one database are several nodes."""

    pool: asyncpg.Pool
    clock: FrozenClock
    settings: AccountsSettings = CHEAP
    key: SigningKey = field(default_factory=new_key)
    revocations: RecordedRevocations = field(default_factory=RecordedRevocations)
    limiter: CountingLimiter = field(default_factory=CountingLimiter)

    def __post_init__(self) -> None:
        self.store = PostgresAccounts(self.pool)
        self.people_store = PostgresPeople(self.pool)
        self.passwords = Passwords(self.settings)
        self.signer = TokenSigner(self.key, self.settings, self.clock)
        self.verifier = TokenVerifier([self.key], self.settings, self.clock)
        self.accounts = Accounts(
            self.store,
            self.passwords,
            self.signer,
            RefreshTokens(self.key.derive("refresh")),
            self.limiter,
            self.revocations,
            self.clock,
            self.settings,
        )
        self.staff_store = PostgresStaff(self.pool)
        self.staff = Staff(self.staff_store, self.clock)
        self.people = People(self.people_store, self.clock)
        self.authenticator = AccessTokenAuthenticator(self.verifier, self.revocations, self.store)

    def another_node(self, **settings: Any) -> "AccountsStack":
        """The same key and database, with some settings changed."""
        changed = msgspec.structs.replace(self.settings, **settings)
        return AccountsStack(self.pool, self.clock, changed, self.key, self.revocations, self.limiter)

    async def tell_of_suspension(self, user_id: UserId) -> None:
        """Do what the relay of the outbox has a node do."""
        sinks = suspension_sinks(self.staff_store, self.revocations, self.clock, self.settings)
        await sinks[SUSPENDED]({"userId": user_id})

    async def sign_up(self, name: str) -> SignedIn:
        return await self.accounts.sign_up(sign_up_form(name), CLIENT)

    async def sign_in(self, name: str, password: str = PASSWORD) -> SignedIn:
        return await self.accounts.sign_in(SignIn(username=name, password=password), CLIENT)

    async def person(self, name: str) -> Actor:
        """A new account, as an actor."""
        signed_in = await self.sign_up(name)
        return self.verifier.verify(signed_in.access_token).actor

    def actor(self, signed_in: SignedIn) -> Actor:
        return self.verifier.verify(signed_in.access_token).actor


def sign_up_form(name: str, **changes: Any) -> SignUp:
    return SignUp(**{"email": f"{name}@example.org", "username": name, "password": PASSWORD} | changes)


@asynccontextmanager
async def accounts_stack(database_url: str) -> AsyncIterator[AccountsStack]:
    pool = await create_pool(database_url, size=8)
    try:
        stack = AccountsStack(pool, FrozenClock())
        yield stack
        stack.passwords.close()
    finally:
        await pool.close()


async def insert_people(pool: asyncpg.Pool, *names: str) -> list[UserId]:
    """Accounts with these names, whose passwords nobody knows: what tests of stores need of a person."""
    ids = [UserId(new_uuid()) for _ in names]
    await pool.executemany(
        "INSERT INTO account_user (id, email, email_key, username, username_key, password_hash, created_at)"
        " VALUES ($1, $2, $2, $2, $2, '', now())",
        list(zip(ids, names, strict=True)),
    )
    return ids


def user_id_of(signed_in: SignedIn) -> UserId:
    return UserId(signed_in.user.id)


async def until_a_query_waits(pool: asyncpg.Pool) -> None:
    """Return when some query of this database waits for a lock.

    Asks on a connection of its own: within one transaction pg_stat_activity shows one and the same moment.
    """
    async with asyncio.timeout(10):
        while not await pool.fetchval(WAITING_QUERIES):
            pass  # a round trip each time: the loop runs on
