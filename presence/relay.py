"""Telling what others left untold: a node may die, or stop for a while, between a change and telling of it."""

import logging

from hub.kernel.clock import Clock
from hub.kernel.ids import UserId
from presence.diffs import Diffs
from presence.metrics import METRICS
from presence.store import PresenceStore
from presence.transitions import Overdue, Told, Transitions

log = logging.getLogger(__name__)


class Relay:
    """Tells of overdue transitions, from any node. Several may at once; each event is published once, by its id.

    Only what still stands is told. A view that has changed since has a transition of its own, which sees to that.
    """

    def __init__(
        self,
        store: PresenceStore,
        transitions: Transitions,
        told: Told,
        diffs: Diffs,
        clock: Clock,
        overdue_s: float,
    ) -> None:
        self._store = store
        self._transitions = transitions
        self._told = told
        self._diffs = diffs
        self._clock = clock
        self._overdue_s = overdue_s

    async def relay(self) -> None:
        """Tell of what is overdue. Raises Unavailable if Redis does not answer; then the next call goes on with it."""
        overdue = [one for one in await self._transitions.overdue(self._overdue_s) if one.entry not in self._told]
        if not overdue:
            return
        # Not before the streams: what they had of a view that this read shows is of that view, or of an earlier one.
        users = list({_user(one) for one in overdue})
        records = {record.user_id: record for record in await self._store.read(users, self._clock.now_ms())}
        for one in overdue:
            record = records[_user(one)]
            own, shown = _says(one, "version", record.version), _says(one, "shown", record.shown_version)
            try:
                await self._diffs.send(record, own=own, shown=shown, age_s=one.age_s)
            except Exception:  # a defect of ours, which must not keep the next ones from being told, for ever
                log.exception("a transition cannot be told")
        METRICS.relayed += len(overdue)
        log.info("%d transitions were told for nodes that did not", len(overdue))
        self._told.add(one.entry for one in overdue)


def _user(one: Overdue) -> UserId:
    return UserId(one.fields.get("user", ""))


def _says(one: Overdue, field: str, version: int) -> bool:
    """Whether the transition led to this version. One that another version of the hub wrote down may not say."""
    return one.fields.get(field) == str(version)
