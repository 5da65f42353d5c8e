"""``sparkle-hub admin``: what an operator does with accounts. It writes to the database; the nodes act on it."""

from collections.abc import Awaitable, Callable

import asyncpg

from core_api.accounts.model import Account, StaffRole
from core_api.accounts.staff import Staff
from core_api.accounts.store_postgres_staff import PostgresStaff
from hub.config import ConfigError, Settings
from hub.embedded.postgres import url_of_running
from hub.kernel.clock import SystemClock
from hub.kernel.errors import NotFound
from hub.storage.postgres import create_pool

CONNECTIONS = 2
"""Of a command to the database."""


class CommandFailed(Exception):
    """The command did nothing; the message says why."""


async def grant(database_url: str, person: str, role: StaffRole) -> str:
    """Give an account a role, and what to print of it. Raises CommandFailed."""

    async def act(staff: Staff, account: Account) -> str:
        changed = await staff.grant(account.id, role)
        return f"{_name(account)} is {'now' if changed else 'already'} {role}"

    return await _act(database_url, person, act)


async def suspend(database_url: str, person: str, reason: str) -> str:
    """Suspend an account, and what to print of it. Raises CommandFailed."""

    async def act(staff: Staff, account: Account) -> str:
        changed = await staff.suspend(account.id, reason)
        return f"{_name(account)} is {'now' if changed else 'already'} suspended"

    return await _act(database_url, person, act)


async def unsuspend(database_url: str, person: str) -> str:
    """Lift a suspension, and what to print of it. Raises CommandFailed."""

    async def act(staff: Staff, account: Account) -> str:
        changed = await staff.unsuspend(account.id)
        return f"{_name(account)} is {'no longer' if changed else 'not'} suspended"

    return await _act(database_url, person, act)


def database_of(settings: Settings) -> str:
    """The database of DATABASE_URL, or that of the hub which runs on the data folder. Raises ConfigError."""
    url = settings.database_url or url_of_running(settings.data)
    if url is None:
        raise ConfigError(f"DATABASE_URL: must be set, as no hub with an embedded PostgreSQL runs on {settings.data}")
    return url


async def _act(database_url: str, person: str, act: Callable[[Staff, Account], Awaitable[str]]) -> str:
    try:
        async with create_pool(database_url, size=CONNECTIONS) as pool:
            staff = Staff(PostgresStaff(pool), SystemClock())
            return await act(staff, await staff.find(person))
    except NotFound as error:
        raise CommandFailed(error.message) from None
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
        raise CommandFailed("the database is not up to date: run `sparkle-hub migrate`") from None
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CommandFailed(f"DATABASE_URL: {error}") from None


def _name(account: Account) -> str:
    return f"{account.username} ({account.email})"
