"""People for the hub, and rooms for them to meet in: inserted by SQL, their tokens signed with the hub's key."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import msgspec

from core_api.accounts.settings import AccountsSettings
from core_api.accounts.signing_key import SigningKey
from core_api.accounts.tokens import TokenSigner
from hub.kernel.clock import SystemClock
from hub.kernel.ids import SessionId, UserId, new_uuid


class Crowd:
    """People with a session each, and public rooms whose owner is none of them."""

    def __init__(self, database_url: str, key: SigningKey, settings: AccountsSettings, folder: Path) -> None:
        """``folder`` is for the files that the load generator reads."""
        self._database_url = database_url
        self._signer = TokenSigner(key, settings, SystemClock())
        self._folder = folder
        self._people: list[tuple[UserId, SessionId]] = []
        self._also: list[tuple[UserId, SessionId]] = []
        """Further sessions of theirs."""
        self._rooms: list[str] = []

    def insert(self, people: int, rooms: int, *, also: int = 0) -> None:
        """Put them into the database. The first ``also`` of them have another session, on another device."""
        self._people = [(UserId(new_uuid()), SessionId(new_uuid())) for _ in range(people)]
        self._also = [(user, SessionId(new_uuid())) for user, _ in self._people[:also]]
        self._rooms = [new_uuid() for _ in range(rooms)]
        asyncio.run(self._insert())

    def remove(self) -> None:
        """Take them out again."""
        asyncio.run(self._remove())

    def options(self, connections: int, room_size: int, people: int | None = None, *, kept: bool = False) -> list[str]:
        """Options of the load generator: the rooms, and for each connection a fresh token of somebody.

        With fewer ``people`` than connections, each has several devices. ``kept``: what they broadcast is stored, and
        has a place in the order.
        """
        tokens = [self._signer.sign(*person).text for person in self._people[: people or connections]]
        tokens = [tokens[number % len(tokens)] for number in range(connections)]
        auth, rooms = self._folder / "auth", self._folder / "rooms"
        auth.touch(mode=0o600)  # whoever reads it may speak for these people
        auth.write_bytes(b"".join(msgspec.json.encode({"token": token}) + b"\n" for token in tokens))
        rooms.write_text("".join(f"{room}\n" for room in self._rooms[: connections // room_size]))
        return ["--dialect", "hub-kept" if kept else "hub", "--auth", str(auth), "--rooms", str(rooms)]

    @property
    def rooms(self) -> Sequence[str]:
        """The ids of the rooms."""
        return self._rooms

    @property
    def people(self) -> Sequence[UserId]:
        """The ids of the people, in the order of their tokens."""
        return [user for user, _ in self._people]

    def tokens(self, count: int) -> list[str]:
        """Fresh tokens of so many people."""
        return [self._signer.sign(*person).text for person in self._people[:count]]

    def sessions(self) -> list[tuple[UserId, SessionId, str]]:
        """Each session of everybody, with a fresh token of it."""
        return [(*one, self._signer.sign(*one).text) for one in (*self._people, *self._also)]

    async def _insert(self) -> None:
        now = SystemClock().now()
        owner = new_uuid()
        people = [(user, f"{user}@example.org", str(user), "!", now) for user, _ in self._people]
        users = [(user, email, email, name, name, password, at) for user, email, name, password, at in people]
        sessions = [
            (session, user, "bench", "127.0.0.0/8", now, now, os.urandom(32), 0)
            for user, session in (*self._people, *self._also)
        ]
        rooms = [(room, f"bench {number}", "public", owner, now) for number, room in enumerate(self._rooms)]
        connection = await asyncpg.connect(self._database_url)
        try:
            await _copy(
                connection, "account_user", "id email email_key username username_key password_hash created_at", users
            )
            await _copy(
                connection,
                "account_session",
                "id user_id user_agent address_prefix created_at refreshed_at refresh_seed refresh_generation",
                sessions,
            )
            await _copy(connection, "room", "id name visibility owner_id created_at", rooms)
            await connection.execute("ANALYZE account_user, account_session, room, room_member, account_block")
        finally:
            await connection.close()

    async def _remove(self) -> None:
        connection = await asyncpg.connect(self._database_url)
        try:
            users = [user for user, _ in self._people]
            await connection.execute("DELETE FROM room WHERE id = ANY($1::uuid[])", self._rooms)
            await connection.execute("DELETE FROM account_user WHERE id = ANY($1::uuid[])", users)
        finally:
            await connection.close()


async def _copy(connection: asyncpg.Connection, table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
    await connection.copy_records_to_table(table, columns=columns.split(), records=rows)
