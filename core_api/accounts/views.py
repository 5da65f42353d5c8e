"""Accounts and sessions as they go out on the wire."""

from core_api.accounts.model import Account, Session
from core_api.accounts.privacy import Privacy
from core_api.accounts.schema import PrivacyChoice, SessionInfo, User
from hub.kernel.events import Actor


def user_view(account: Account, viewer: Actor | None) -> User:
    """A person as ``viewer`` sees them. Address and role are the owner's alone."""
    user = User(
        id=account.id,
        username=account.username,
        display_name=account.display_name,
        bio=account.bio,
        created_at=account.created_at,
    )
    if viewer is not None and viewer.user_id == account.id:
        user.email = account.email
        user.role = account.role
    return user


def session_view(session: Session, viewer: Actor) -> SessionInfo:
    """One sign-in, as its owner sees it. A session in use is refreshed, hence seen, every ten minutes."""
    return SessionInfo(
        id=session.id,
        user_agent=session.user_agent,
        address_prefix=session.address_prefix,
        created_at=session.created_at,
        last_seen_at=session.refreshed_at,
        current=session.id == viewer.session_id,
    )


def privacy_view(privacy: Privacy) -> PrivacyChoice:
    """Privacy settings, as their owner sees them."""
    return PrivacyChoice(presence=privacy.presence, last_seen=privacy.last_seen, calls=privacy.calls)
