"""The one access rule: what each role may do. Pure; sockets, REST and GraphQL all end here."""

from typing import Final

ACTIONS: Final = ("read", "comment", "write", "manage")
"""Each includes those before it."""

ALLOWED: Final = {
    "owner": frozenset(ACTIONS),
    "editor": frozenset({"read", "comment", "write"}),
    "commenter": frozenset({"read", "comment"}),
    "viewer": frozenset({"read"}),
}
"""Role on a resource → actions. What a table does not list is refused; ``manage`` is members, settings, deletion."""


def may(role: str | None, action: str) -> bool:
    """Whether ``role`` (``None``: no part in the resource) allows ``action``.

    Raises ValueError for a name that is none of ours: a misspelt action must fail in its first test, not refuse
    everybody in production.
    """
    if action not in ACTIONS:
        raise ValueError(f"there is no action {action!r}")
    if role is None:
        return False
    if role not in ALLOWED:
        raise ValueError(f"there is no role {role!r}")
    return action in ALLOWED[role]
