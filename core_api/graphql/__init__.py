"""GraphQL over the same services as REST: queries, mutations, and subscriptions by graphql-transport-ws.

Only `front`, `ports`, `rate_limits`, `settings` and `errors` may be imported by what a node imports at start: the
others import strawberry, which takes half a second.
"""
