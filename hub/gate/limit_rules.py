"""What limits whatever declares a limit: what it says, what an operator made of that, and whose allowances it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from hub.gate.allowance import Allowances
from hub.gate.limit_settings import EVERYTHING
from hub.kernel.limits import UNKNOWN, Declared, Limit

UNKNOWN_NAME: Final = "(unknown)"
"""Of all events together that nothing declares."""


@dataclass(slots=True)
class Rule:
    """What limits one of them; ``None``: nothing does."""

    users: Allowances | None = None
    addresses: Allowances | None = None


class UnknownName(ValueError):
    """A change of a limit that nothing has declared."""


def changed(declared: Mapping[str, Declared], changes: Mapping[str, Limit | None]) -> dict[str, Declared]:
    """What is declared, and that of unknown events, with an operator's changes. Raises UnknownName."""
    declared = {**declared, UNKNOWN_NAME: Declared(UNKNOWN)}
    if unknown := [name for name in changes if name not in declared and name != EVERYTHING]:
        raise UnknownName(f"there is no event, route or field {unknown[0]!r}")
    rest = {name: changes.get(EVERYTHING, one.limit) for name, one in declared.items()}
    return {name: replace(one, limit=changes.get(name, rest[name])) for name, one in declared.items()}


def rules(declared: Mapping[str, Declared], *, address_users: int) -> dict[str, Rule]:
    """The rule of each name. ``address_users``: so many users' limit is that of an address; 0: it has none."""
    made = {}
    for name, one in declared.items():
        rule, limit = Rule(), one.limit
        made[name] = rule
        if limit is None:
            continue
        if not one.of_addresses:
            rule.users = Allowances(name, limit)
        if address_users:
            rule.addresses = Allowances(name, limit if one.of_addresses else limit.times(address_users))
    return made
