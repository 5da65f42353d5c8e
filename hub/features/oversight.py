"""What the staff may see of presence, and its history."""

from hub.features.core import Core, Feature
from presence.admin import Oversight, presence_admin_api
from presence.history import Recorder
from presence.history_postgres import PostgresHistory
from presence.history_redis import RecordedTransitions, RedisHistoryQueue
from presence.inspection_redis import RedisInspector
from presence.store_redis import HISTORY, TRANSITIONS
from presence.transitions import Transitions
from presence.transitions_redis import RedisTransitions


def transitions(core: Core) -> Transitions:
    """The transitions of presence, which go into the history once they were told if that is kept."""
    kept = RedisTransitions(core.redis, TRANSITIONS)
    if core.settings.presence.history_days:
        return RecordedTransitions(core.redis, kept, TRANSITIONS, HISTORY)
    return kept


def feature(core: Core) -> Feature:
    """The API of the role `admin`, and what fills and empties the history."""
    days = core.settings.presence.history_days
    store = PostgresHistory(core.pool)
    recorder = Recorder(RedisHistoryQueue(core.redis, HISTORY), store, core.clock, days)

    async def start() -> None:
        recorder.start(core.tasks)

    oversight = Oversight(RedisInspector(core.redis), store, core.people.exists, core.clock, days)
    return Feature(apis=[presence_admin_api(oversight)], starts=[start])
