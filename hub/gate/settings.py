"""What an operator can set of the gate."""

from typing import Annotated

import msgspec
from msgspec import Meta


class GateSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator can set of the gate."""

    connects_per_minute: int = 600
    """Socket connects of one address, or of one IPv6 /64. Offices share an address; a client in a reconnect
    loop makes far more."""
    connections_per_user: Annotated[int, Meta(ge=0)] = 100
    """Connections of one user, over all nodes. Five devices with twenty tabs each; every change of somebody's presence
    costs as much as they have connections, whoever watches. A node's first of a user is let in unseen, so there may be
    one more for each node. 0: any number."""
    ticket_session_s: int = 600
    """How long a connection made with a ticket counts as signed in: as long as one made with a fresh access token."""
    expiry_notice_s: Annotated[int, Meta(ge=1, le=300)] = 60
    """How long before its access token runs out a connection is told so; halfway, if the token lives less than twice as
    long. Enough for a client to try again after a pause."""
