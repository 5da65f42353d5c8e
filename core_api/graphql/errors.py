"""Errors that only GraphQL has, beside the catalogue's."""

from hub.kernel.errors import HubError


class InvalidQuery(HubError):
    """The document is not GraphQL, or does not fit the schema; ``locations`` says where. Change it first."""

    code = "invalid_query"
    http_status = 400
    temporary = False
    default_message = "This is no operation that the schema knows."


class QueryTooCostly(HubError):
    """The operation is larger, deeper or asks for more than the limit named in the message. Ask for less."""

    code = "query_too_costly"
    http_status = 400
    temporary = False
    default_message = "The operation asks for too much."


class SubscriptionLagged(HubError):
    """The subscriber did not read as fast as events came. Subscribe again, and read what was missed by a query."""

    code = "subscription_lagged"
    http_status = 503
    default_message = "Events came faster than they were read. Subscribe again."
