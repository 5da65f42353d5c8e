"""Identifiers, as NewTypes, so that mypy refuses a room where a user is meant."""

import uuid
from typing import NewType

from ulid import ULID

UserId = NewType("UserId", str)
SessionId = NewType("SessionId", str)
ConnectionId = NewType("ConnectionId", str)
NodeId = NewType("NodeId", str)
RoomName = NewType("RoomName", str)
"""A room as it stands on the wire: ``user:{id}``, ``content:{id}``, ``doc:{id}``, ``call:{id}``, ``room:{id}``."""


def new_uuid() -> str:
    """A random UUID string: the id of accounts and content."""
    return str(uuid.uuid4())


def new_ulid() -> str:
    """A ULID string: sortable by time, the id of calls, nodes and requests."""
    return str(ULID())


def user_room(user_id: UserId) -> RoomName:
    """The room that holds every connection of a user."""
    return RoomName(f"user:{user_id}")


def session_room(session_id: SessionId) -> RoomName:
    """The room that holds every connection of one sign-in, so that it can be revoked."""
    return RoomName(f"session:{session_id}")
