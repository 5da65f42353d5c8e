"""Identifiers, as NewTypes, so that mypy refuses a room where a user is meant."""

import uuid
from typing import NewType

from ulid import ULID

UserId = NewType("UserId", str)
SessionId = NewType("SessionId", str)
ConnectionId = NewType("ConnectionId", str)
NodeId = NewType("NodeId", str)
NodeTag = NewType("NodeTag", str)
"""The last eight characters of a node's id: short enough for every session id, and 40 bits that are random. Of 1000
nodes in a cluster two have the same once in two million starts; requests for one may then go to the other."""
RoomName = NewType("RoomName", str)
"""A room as it stands on the wire: ``user:{id}``, ``content:{id}``, ``doc:{id}``, ``call:{id}``, ``room:{id}``."""


def new_uuid() -> str:
    """A random UUID string: the id of accounts and content."""
    return str(uuid.uuid4())


def new_ulid() -> str:
    """A ULID string: sortable by time, the id of calls, nodes and requests."""
    return str(ULID())


def tag_of(node_id: NodeId) -> NodeTag:
    """A node's name in the ids of its sessions."""
    return NodeTag(node_id[-8:])


def user_room(user_id: UserId) -> RoomName:
    """The room that holds every connection of a user."""
    return RoomName(f"user:{user_id}")


def session_room(session_id: SessionId) -> RoomName:
    """The room that holds every connection of one sign-in, so that it can be revoked."""
    return RoomName(f"session:{session_id}")
