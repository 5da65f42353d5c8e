"""Client events of presence and typing."""

from hub.kernel.events import EventRouter
from hub.kernel.limits import Limit
from presence.idleness import Idleness
from presence.schema import SetActive, Typing, UpdatePresence, Users, Watch
from presence.service import PresenceService
from presence.typing_indicator import TypingIndicator
from presence.watching import Watching

UPDATES = Limit(per_minute=120, burst=30)
"""Each is told to everybody who watches. A client that goes idle and back with every tab makes some ten a minute."""
TYPING = Limit(per_minute=1200, burst=200)
"""Some clients send one with each key: a fast typist presses ten a second, and a start may have its stop."""


def presence_events(
    service: PresenceService, idleness: Idleness, watching: Watching, typing: TypingIndicator
) -> EventRouter:
    """What clients may ask of presence, and what it does when a connection comes and goes."""
    router = EventRouter(
        connected=[service.connected],
        lost=[service.lost],
        disconnected=[typing.disconnected, service.disconnected, watching.disconnected],
        restores={"presence": watching.restore},
        put_out_quietly={"presence"},  # who may see how much is looked up anew
    )
    by_update = "presence:update"
    router.on(by_update, UpdatePresence, service.update, bare="status", order=lambda _: by_update, limit=UPDATES)
    router.on(
        "presence:active", SetActive, idleness.set_active, order=lambda _: by_update, limit=UPDATES, automatic=True
    )
    by_watch = "presence:watch"
    router.on(by_watch, Watch, watching.watch, order=lambda _: by_watch, automatic=True)
    router.on("presence:unwatch", Watch, watching.unwatch, order=lambda _: by_watch, automatic=True)
    router.on("presence:get", Users, watching.get, automatic=True)
    router.on("typing:start", Typing, typing.start, order=lambda typed: typed.room, limit=TYPING)
    router.on("typing:stop", Typing, typing.stop, order=lambda typed: typed.room, limit=TYPING, automatic=True)
    return router
