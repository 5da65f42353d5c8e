"""Settings of documents."""

from datetime import timedelta

import msgspec


class CollabSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits and intervals. The defaults fit a node with 1 GB of memory."""

    probe_s: float = 2.0
    """How long a change made on another node can stay unnoticed when Redis loses its publication."""
    idle_s: float = 60.0
    """A document that nobody has open stays in memory this long: people reload pages."""
    hot_bytes: int = 256 << 20
    """Memory of open documents; past it, documents that nobody has open go at once."""
    waiting_bytes: int = 32 << 20
    """Updates that may wait for PostgreSQL: about a minute of a busy node."""
    document_bytes: int = 64 << 20
    """Updates of one document: it has to be loaded by whoever joins."""
    compact_after: int = 500
    """Updates of a document before they are compacted: each takes whoever opens it 6 µs, and 1.5 MB take 15 ms."""
    access_s: float = 1.0
    """How long a checked right to change a document is believed; also how often those who read are checked."""
    documents_per_connection: int = 100
    """Documents that one connection may have open: each costs a question to PostgreSQL now and then."""
    members: int = 200
    """People that one document may be shared with."""
    links: int = 50
    """Links that one document may be shared by."""
    deleted_days: float = 30.0
    """How long an owner can take back the deletion of a document: an hour at least."""
    history_s: float = 5.0
    """How often it is written down who changed what; a killed node has forgotten as much."""
    version_changes: int = 1000
    """Changes after which a version is kept by itself, …"""
    version_s: float = 3600.0
    """… and the time after the first change when one is kept however few there were."""
    named_versions: int = 100
    """Versions of one document that people have named."""
    automatic_versions: int = 100
    """Versions of one document that were kept by themselves, after thinning out; the oldest go first."""
    threads: int = 2000
    """Threads of comments on one document."""
    replies: int = 200
    """Replies in one thread."""
    webhooks: int = 20
    """Webhooks of one person."""
    webhook_waiting: int = 1000
    """Deliveries of one webhook that may wait; what happens then it is not told."""
    webhook_poll_s: float = 5.0
    """How often each node looks for attempts that are due."""
    webhook_private: bool = False
    """Whether webhooks may lead to addresses that are not public, such as the hub's own network."""
    version_bytes: int = 256 << 20
    """Of all versions of one document; past it automatic ones go, and none can be named."""

    @property
    def grace(self) -> timedelta:
        """The same, as a duration.

        What an open document had queued when it was deleted is committed, or given up, within the hour: rows that came
        after the removal would stay for ever.
        """
        return max(timedelta(days=self.deleted_days), timedelta(hours=1))
