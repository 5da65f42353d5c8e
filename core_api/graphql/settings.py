"""What an operator can set for GraphQL."""

import msgspec


class GraphQLSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits. A page of 50 posts costs as much CPU here as 60 reads by REST, so there is one for everything."""

    running: int = 4
    """Queries and mutations at work at once on a node. Each may hold a connection to PostgreSQL, of ten by default."""
    events: int = 2
    """Events of subscriptions at work at once, in the same way."""
    admitted: int = 64
    """Those at work and those that wait for it. What comes beyond is `overloaded`."""
    operation_s: float = 60.0
    """Longest time of a query or mutation; a companion's whole answer fits in it."""
    characters: int = 20_000
    """Of a document; ten times the introspection query of common tools. The last 256 documents are kept parsed, so
    with a megabyte each they took half a gigabyte."""
    tokens: int = 800
    """Of a document. The introspection query of common tools has 300."""
    fields: int = 100
    """In a document. graphql-core compares fields of one name pair by pair: 100 take 17 ms, 200 took 115 ms."""
    depth: int = 10
    """Fields inside fields."""
    aliases: int = 20
    """As executed: those in a fragment count as often as it is spread."""
    cost: int = 2000
    """Of an operation, in objects that it may have to make; see core_api.graphql.cost."""
    connections: int = 2000
    """WebSocket connections of a node."""
    strangers: int = 1000
    """Of these, connections of those who are not signed in."""
    connections_each: int = 20
    """Of these, connections of one person."""
    subscriptions: int = 20
    """Operations under way on one WebSocket connection."""
    init_s: float = 10.0
    """Within which a WebSocket client says who it is."""
    recheck_s: float = 5.0
    """Between two looks whether the session of a WebSocket connection still stands."""
    send_s: float = 10.0
    """Within which a client reads what fills its socket. Then the connection is cut."""
    backlog: int = 64
    """Events that wait for one subscriber. With one more the subscription ends."""
    document_s: float = 0.25
    """Between two events of one `documentChanged`."""
