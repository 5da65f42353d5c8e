"""Client events of presence and typing."""

from hub.kernel.events import EventRouter
from presence.schema import Typing, UpdatePresence, Users
from presence.service import PresenceService
from presence.typing_indicator import TypingIndicator


def presence_events(service: PresenceService, typing: TypingIndicator) -> EventRouter:
    """What clients may ask of presence, and what it does when a connection comes and goes."""
    router = EventRouter(connected=[service.connected], disconnected=[typing.disconnected, service.disconnected])
    router.on("presence:update", UpdatePresence, service.update, bare="status", order=lambda _: "presence:update")
    router.on("presence:watch", Users, service.watch, order=lambda _: "presence:watch")
    router.on("presence:unwatch", Users, service.unwatch, order=lambda _: "presence:watch")
    router.on("presence:get", Users, service.get)
    router.on("typing:start", Typing, typing.start, order=lambda typed: typed.room)
    router.on("typing:stop", Typing, typing.stop, order=lambda typed: typed.room)
    return router
