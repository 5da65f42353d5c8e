"""Accounts: signing up, in and out, refreshing, sessions."""

import hashlib
import secrets
from dataclasses import replace
from datetime import timedelta

from core_api.accounts.model import RESERVED_USERNAMES, Account, Session, address_prefix, name_key, printable
from core_api.accounts.passwords import Passwords, is_breached
from core_api.accounts.refresh import SEED_BYTES, RefreshTokens, Verdict, judge, parse
from core_api.accounts.schema import Position, Refresh, SessionInfo, SignedIn, SignIn, SignUp
from core_api.accounts.settings import AccountsSettings
from core_api.accounts.store import AccountStore
from core_api.accounts.tokens import TokenSigner
from core_api.accounts.views import session_view, user_view
from hub.kernel.addresses import counted
from hub.kernel.clock import Clock, from_ms
from hub.kernel.errors import Conflict, InvalidPayload, NotFound, Overloaded, Suspended, Unauthorized
from hub.kernel.events import Actor
from hub.kernel.http import Client
from hub.kernel.ids import SessionId, UserId, new_uuid
from hub.kernel.limits import Limit
from hub.kernel.pages import Page, PageQuery, decode_cursor, page
from hub.kernel.ports import RateLimiter, Revocations

TAKEN = {"email": "This address has an account already.", "username": "This name is taken."}
REUSED = "refresh_token_reused"


class Accounts:
    """The use cases under /auth. Errors are HubErrors; those of PostgreSQL and Redis go up as they are."""

    def __init__(
        self,
        store: AccountStore,
        passwords: Passwords,
        signer: TokenSigner,
        refresh_tokens: RefreshTokens,
        limiter: RateLimiter,
        revocations: Revocations,
        clock: Clock,
        settings: AccountsSettings,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._signer = signer
        self._refresh_tokens = refresh_tokens
        self._limiter = limiter
        self._revocations = revocations
        self._clock = clock
        self._settings = settings
        self.sign_up_limit = Limit.a_minute(settings.sign_ups_per_minute)
        self.sign_in_limit = Limit.a_minute(settings.sign_ins_per_minute)
        """Of one address: at the door of REST, and here together with GraphQL."""

    async def sign_up(self, body: SignUp, client: Client) -> SignedIn:
        """Create an account and sign in to it."""
        await self._limit("sign-up", client, self.sign_up_limit, body.email)
        if is_breached(body.password):
            raise _invalid("/password", "This password is on every list of common passwords. Choose another one.")
        taken = await self._store.taken(body.email, body.username)
        if name_key(body.username) in RESERVED_USERNAMES:
            taken |= {"username"}
        if taken:
            raise _names_taken(taken)
        account = Account(
            id=UserId(new_uuid()),
            email=body.email,
            username=body.username,
            display_name="",
            bio="",
            status="active",
            role="user",
            version=1,
            created_at=self._clock.now(),
        )
        session = self._new_session(account.id, client)
        password_hash = await self._passwords.hash(body.password)
        if taken := await self._store.create(account, password_hash, body.referral_code, session):
            raise _names_taken(taken)
        return self._signed_in(account, session)

    async def sign_in(self, body: SignIn, client: Client) -> SignedIn:
        """Sign in with a password; ends no other session."""
        if (body.email is None) == (body.username is None):
            raise _invalid("/email", "Give either an email address or a username.")
        await self._limit("sign-in", client, self.sign_in_limit, body.email or body.username or "")
        found = await self._store.credentials(email=body.email, username=body.username)
        account, stored = found or (None, None)
        # One answer, after the same work, whether the account or the password is wrong.
        if not await self._passwords.verify(stored, body.password) or account is None or stored is None:
            raise Unauthorized("There is no account with this name and password.")
        if account.status == "suspended":
            raise Suspended
        await self._renew_hash(account.id, stored, body.password)
        session = self._new_session(account.id, client)
        if not await self._store.start_session(session):
            raise Suspended  # meanwhile
        return self._signed_in(account, session)

    async def refresh(self, body: Refresh) -> SignedIn:
        """Trade a refresh token for new tokens of the same session.

        The old one is spent. Within 30 seconds it gives the same successor again (two tabs, a lost answer); after that
        it ends the session, since somebody has a copy.
        """
        token = parse(body.refresh_token)
        if token is None:
            raise _spent()
        while True:
            session = await self._store.session(token.session_id)
            if session is None or not self._refresh_tokens.genuine(token, session):
                raise _spent()
            now = self._clock.now()
            verdict = judge(session, token.generation, now, self._settings)
            if verdict is Verdict.REUSED:
                await self._end(session.id, session.user_id, REUSED)
                raise _spent()
            account = await self._store.account(session.user_id)
            if account is not None and account.status == "suspended":
                raise Suspended
            if account is None or verdict is Verdict.ENDED:
                raise _spent()
            if verdict is Verdict.REPEAT:
                return self._signed_in(account, session)
            if await self._store.rotate(session.id, token.generation, now):
                return self._signed_in(account, replace(session, refresh_generation=token.generation + 1))
            # Another request was faster, so by now the token has a successor to repeat, or the session has ended.

    async def sign_out(self, actor: Actor) -> None:
        """End this session: its tokens are refused and its connections closed."""
        await self._end(actor.session_id, actor.user_id, "signed_out")

    async def sessions(self, actor: Actor, query: PageQuery) -> Page[SessionInfo]:
        """List one's live sessions, the newest first."""
        before = None if query.cursor is None else decode_cursor(query.cursor, tuple[Position])[0]
        now = self._clock.now()
        sessions = await self._store.live_sessions(
            actor.user_id,
            created_after=now - timedelta(seconds=self._settings.refresh_absolute_s),
            refreshed_after=now - timedelta(seconds=self._settings.refresh_idle_s),
            before=before,
            limit=query.limit + 1,
        )
        return page(sessions, query.limit, lambda session: session_view(session, actor), lambda row: (row.number,))

    async def end_session(self, actor: Actor, session_id: SessionId) -> None:
        """End one of one's own sessions, this one or another. Idempotent."""
        if not await self._end(session_id, actor.user_id, "ended_by_user"):
            raise NotFound

    async def _end(self, session_id: SessionId, user_id: UserId, reason: str) -> bool:
        # What is kept first, then what is live: if Redis fails here, the token still lets the client repeat this.
        known = await self._store.end_session(session_id, user_id, reason, self._clock.now())
        if known:
            await self._revocations.revoke(session_id, reason)
        return known

    async def _limit(self, what: str, client: Client, limit: Limit, name: str) -> None:
        key = f"{what}:address:{counted(client.address)}"
        await self._limiter.take(key, per_minute=limit.per_minute, burst=limit.burst)
        # Hashed: keys of limits are no place for addresses of people.
        account = hashlib.sha256(name_key(name).encode()).hexdigest()[:32]
        allowed = self._settings.sign_ins_per_minute_account
        await self._limiter.take(f"{what}:account:{account}", per_minute=allowed, burst=allowed)

    async def _renew_hash(self, user_id: UserId, stored: str, password: str) -> None:
        if not self._passwords.outdated(stored):
            return
        try:
            await self._store.replace_hash(user_id, stored, await self._passwords.hash(password))
        except Overloaded:
            return  # the next sign-in will do

    def _new_session(self, user_id: UserId, client: Client) -> Session:
        now = self._clock.now()
        return Session(
            id=SessionId(new_uuid()),
            user_id=user_id,
            user_agent=printable(client.user_agent),
            address_prefix=address_prefix(client.address),
            created_at=now,
            refreshed_at=now,
            refresh_seed=secrets.token_bytes(SEED_BYTES),
            refresh_generation=1,
        )

    def _signed_in(self, account: Account, session: Session) -> SignedIn:
        access = self._signer.sign(account.id, session.id)
        return SignedIn(
            user=user_view(account, Actor(account.id, session.id)),
            access_token=access.text,
            access_token_expires_at=from_ms(access.expires_at_ms),
            refresh_token=self._refresh_tokens.issue(session),
        )


def _spent() -> Unauthorized:
    return Unauthorized("This refresh token is not valid any more. Sign in again.")


def _invalid(pointer: str, detail: str) -> InvalidPayload:
    return InvalidPayload(detail, errors=[{"pointer": pointer, "detail": detail}])


def _names_taken(fields: frozenset[str]) -> Conflict:
    errors = [{"pointer": f"/{field}", "detail": TAKEN[field]} for field in sorted(fields)]
    return Conflict(" ".join(error["detail"] for error in errors), errors=errors)
