"""Which engine carries a call, by how many are in it. Without I/O."""

from collections.abc import Set

from signaling.media.settings import Engine, MediaSettings


def engine_for(people: int, settings: MediaSettings, available: Set[str], *, now: Engine | None = None) -> Engine:
    """The engine for a call of so many. ``now`` is what it has: one that works is kept when people leave.

    A move can be seen and heard, so a call goes to a larger engine when it grows, and does not come back from it.
    """
    chosen: Engine = settings.engine
    if people <= settings.embedded_most and "embedded" in available:
        chosen = "embedded"
    if people <= settings.mesh_most or chosen not in available:
        chosen = "mesh"
    return now if now is not None and now in available and _size(now) >= _size(chosen) else chosen


def _size(engine: Engine) -> int:
    """How large the calls are for which an engine is there: a mesh is for the smallest."""
    return {"mesh": 0, "embedded": 1}.get(engine, 2)
