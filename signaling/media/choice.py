"""Which engine carries a call, by how many are in it. Without I/O."""

from collections.abc import Set

from signaling.media.settings import Engine, MediaSettings


def engine_for(people: int, settings: MediaSettings, available: Set[str], *, now: Engine | None = None) -> Engine:
    """The engine for a call of so many. ``now`` is what it has: one that works is kept when people leave.

    A move costs a second of media, so a call goes to an engine when it grows, and does not come back from it.
    """
    if now is not None and now != "mesh" and now in available:
        return now
    if people <= settings.mesh_most or settings.engine not in available:
        return "mesh"
    return settings.engine
