"""What the staff may do with accounts: roles and suspensions. They are written here, and told by the outbox."""

import logging
import re
from collections.abc import Callable
from datetime import timedelta

from core_api.accounts.model import Account, StaffRole
from core_api.accounts.settings import AccountsSettings
from core_api.accounts.store import SUSPENDED, StaffStore
from core_api.outbox import Payload, Sink
from hub.kernel.clock import Clock
from hub.kernel.errors import Forbidden, NotFound
from hub.kernel.events import Actor
from hub.kernel.ids import UserId
from hub.kernel.ports import Revocations
from hub.kernel.wire import UUID_PATTERN

log = logging.getLogger(__name__)

IS_UUID = re.compile(UUID_PATTERN)
REASON = "suspended"
"""What the connections of a suspended person are told. Why they are is the staff's to know."""
MARGIN_S = 60
"""A token may be signed a little later than its session was refreshed: within the grace, or beside the suspension."""


class Staff:
    """Roles and suspensions of accounts. Needs the database only, so it works from any process.

    Implements core_api.ports.Suspensions and hub.kernel.ports.StaffRoles. What changes an account raises NotFound if
    there is none, and is harmless twice. ``nudge`` has the outbox relayed at once, where there is a relay.
    """

    def __init__(self, store: StaffStore, clock: Clock, nudge: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._clock = clock
        self._nudge = nudge

    async def require(self, actor: Actor, role: str) -> None:
        """See StaffRoles. A query each time, so a role that was taken away is gone at once."""
        account = await self._store.account(actor.user_id)
        if account is None or account.role != role or account.status != "active":
            log.warning("user %s, who is not %s, asked for what is for that role", actor.user_id, role)
            raise Forbidden(f"This is for the role {role}.")

    async def find(self, name: str) -> Account:
        """The account with this email address (in whatever case) or id."""
        if IS_UUID.fullmatch(name.lower()):
            account = await self._store.account(UserId(name.lower()))
        else:
            account = await self._store.account_with(name)
        if account is None:
            raise NotFound(f"There is no account {name}.")
        return account

    async def grant(self, user_id: UserId, role: StaffRole) -> bool:
        """Give an account a role in the place of the one it has. False if that is the one."""
        return _found(await self._store.set_role(user_id, role))

    async def suspend(self, user_id: UserId, reason: str) -> bool:
        """Let nobody use this account: no sign-in, no refresh, every session ended. False if it is suspended already.

        Its tokens are refused and its connections closed, on all nodes, a moment later: :func:`suspension_sinks`. A
        repeat has that done again. The first reason stays.
        """
        changed = _found(await self._store.suspend(user_id, reason, self._clock.now()))
        self._nudge()
        return changed

    async def unsuspend(self, user_id: UserId) -> bool:
        """Lift a suspension. Sessions do not come back. False if there is none."""
        return _found(await self._store.unsuspend(user_id))


def suspension_sinks(
    store: StaffStore, revocations: Revocations, clock: Clock, settings: AccountsSettings
) -> dict[str, Sink]:
    """What a node does when the outbox tells of a suspension: it acts on what is live."""
    token_life = timedelta(seconds=settings.access_token_s + MARGIN_S)

    async def suspended(payload: Payload) -> None:
        user_id = UserId(payload["userId"])
        ended = await store.sessions_with_tokens(user_id, since=clock.now() - token_life)
        account = await store.account(user_id)
        if account is None or account.status == "suspended":
            await revocations.revoke_all(user_id, ended, REASON)
            return
        # Lifted meanwhile: whoever has signed in again stays.
        for session_id in ended:
            await revocations.revoke(session_id, REASON)

    return {SUSPENDED: suspended}


def _found(changed: bool | None) -> bool:
    if changed is None:
        raise NotFound("There is no such account.")
    return changed
