"""Editors that know nothing of the hub: their protocols, each on its path, and the tokens that they come with."""

from collab import update
from collab.editing import Editing
from collab.native.audience import NativeAudience
from collab.native.hocuspocus import HocuspocusEndpoint
from collab.native.passes import Passes
from collab.native.service import NativeEditing
from collab.native.y_socketio import YSocketIoEndpoint
from collab.native.y_websocket import YWebSocketEndpoint
from collab.tokens import DocumentTokens, document_tokens_api
from core_api.accounts.live_sessions import LiveSessions
from core_api.accounts.signing_key import SigningKey
from core_api.accounts.store_postgres import PostgresAccounts
from hub.features.core import Core, Feature
from hub.kernel.framed import Sender
from hub.kernel.limited import Limited
from hub.transport.outages import as_hub_error

MAX_MESSAGE = update.MAX_BYTES + (64 << 10)
"""Bytes of a message: a largest update, and what a protocol puts around it."""


def feature(core: Core, key: SigningKey, editing: Editing) -> Feature:
    """Documents for unmodified Yjs providers, behind the same rights as everywhere."""
    tokens = DocumentTokens(key.derive("document tokens"), core.access, core.clock)
    passes = Passes(tokens, LiveSessions(PostgresAccounts(core.pool)))
    framed, limited = core.door.framed, Limited(declared={})

    def service(sockets: Sender = framed, *, echoes: bool = False) -> NativeEditing:
        audience = NativeAudience(sockets, echoes=echoes)
        most = core.settings.collab.documents_per_connection
        return NativeEditing(
            editing, audience, passes, limited, as_hub_error, core.tasks, documents_per_connection=most
        )

    framed.mount("/collab", HocuspocusEndpoint(service()), max_message=MAX_MESSAGE)
    framed.mount("/collab/", YWebSocketEndpoint(service(echoes=True)), max_message=MAX_MESSAGE)
    core.namespaces.mount("/yjs|", YSocketIoEndpoint(service(core.namespaces)))
    return Feature(
        apis=[document_tokens_api(tokens)],
        drains=[framed.drain, core.namespaces.drain],
        closes=[framed.close],
        limited=limited,
    )
