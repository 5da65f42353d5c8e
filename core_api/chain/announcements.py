"""Tells owners of their transactions, out of the outbox."""

import msgspec

from core_api.chain.schema import ChainTransaction
from core_api.chain.transaction_store import ANNOUNCED
from core_api.outbox import Payload, Sink
from hub.kernel.ids import UserId, user_room
from hub.kernel.ports import Rooms


def transaction_sinks(rooms: Rooms) -> dict[str, Sink]:
    """The sink of ``chain.transaction``: to every connection of the owner.

    The event is in the outbox as it is sent: it tells of each state in turn, also of those that are over by then.
    """

    async def tell(payload: Payload) -> None:
        event = msgspec.convert(payload["transaction"], ChainTransaction)
        await rooms.emit(user_room(UserId(payload["ownerId"])), event)

    return {ANNOUNCED: tell}
