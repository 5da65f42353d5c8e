"""Errors of documents that clients may meet."""

from hub.kernel.errors import HubError


class InvalidUpdate(HubError):
    """The bytes are no Yjs v1 update, state vector or awareness update, or exceed a limit that the message names."""

    code = "invalid_update"
    http_status = 422
    temporary = False
    default_message = "This is no valid Yjs update."


class UpdateGap(HubError):
    """The update builds on changes that the hub does not have.

    ``stateVector`` says what it has: send the difference to it (``Y.encodeStateAsUpdate(doc, stateVector)``).
    """

    code = "update_gap"
    http_status = 409
    temporary = False
    default_message = "The update builds on changes that the hub does not have. Send the difference to stateVector."


class NotJoined(HubError):
    """The connection has not joined the document, or was put out of it. Join first."""

    code = "not_joined"
    http_status = 409
    temporary = False
    default_message = "Join the document first."


class UnsuitableContent(HubError):
    """The content does not fit what is asked for; the message says why. The same request will not succeed later."""

    code = "unsuitable_content"
    http_status = 422
    temporary = False
    default_message = "This cannot be done with this content."


class TooManyDocuments(HubError):
    """The connection has as many documents open as it may. Close some, or open another connection."""

    code = "too_many_documents"
    http_status = 409
    temporary = False
    default_message = "This connection has too many documents open."
