"""What an operator can set of the gate."""

import msgspec


class GateSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator can set of the gate."""

    connects_per_minute: int = 600
    """Socket connects of one address. Offices share an address; a client in a reconnect loop makes far more."""
    ticket_session_s: int = 600
    """How long a connection made with a ticket counts as signed in: as long as one made with a fresh access token."""
