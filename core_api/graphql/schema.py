"""The GraphQL schema, put together, and as text."""

import copy
import re
from collections.abc import Mapping
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter

from core_api.graphql import guard
from core_api.graphql.mutations import Mutation
from core_api.graphql.queries import Query
from core_api.graphql.rate_limits import PREFIX
from core_api.graphql.settings import GraphQLSettings
from core_api.graphql.subscriptions import Subscription
from core_api.graphql.vocabulary import SCALARS, RateLimit
from hub.kernel.limits import Declared

DEFINITION = "strawberry-definition"
"""Where graphql-core's objects carry what strawberry made them of."""


ACRONYM = re.compile(r"(?<=[a-z])(Ai|Nft)(?=[A-Z]|$)")


class Names(NameConverter):
    """camelCase with the capitals of acronyms: ``createAICompanion``, ``mintNFT``."""

    def apply_naming_config(self, name: str) -> str:
        """The name in the schema of a name in Python."""
        return ACRONYM.sub(lambda found: found[0].upper(), super().apply_naming_config(name))


class Schema(strawberry.Schema):
    """Strawberry's, without its own log of errors: core_api.graphql.faults knows which of them are ours."""

    def process_errors(self, errors: list[GraphQLError], execution_context: object = None) -> None:
        """Nothing."""


def make(settings: GraphQLSettings, limits: Mapping[str, Declared]) -> Schema:
    """The schema with everything that guards it. ``limits`` has one for each root field."""
    schema = Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        config=StrawberryConfig(name_converter=Names(), scalar_map=SCALARS),
        extensions=guard.extensions(settings),
    )
    _describe(schema)
    _show_limits(schema, limits)
    return schema


def text(limits: Mapping[str, Declared]) -> str:
    """The schema in GraphQL's own language: docs/schema.graphql."""
    return make(GraphQLSettings(), limits).as_str() + "\n"


def _show_limits(schema: Schema, limits: Mapping[str, Declared]) -> None:
    """Give each root field the directive with its limit. Raises KeyError for one without."""
    graphql = schema._schema
    for root in (graphql.query_type, graphql.mutation_type, graphql.subscription_type):
        for name, field in ({} if root is None else root.fields).items():
            one = limits[PREFIX + name]
            if one.limit is None:
                continue
            whose = "address" if one.of_addresses else "user"
            directive = RateLimit(of=whose, per_minute=one.limit.per_minute, burst=one.limit.burst)
            # A copy: all schemas of a process share strawberry's fields, and each has its own limits.
            shown = field.extensions[DEFINITION] = copy.copy(field.extensions[DEFINITION])
            shown.directives = [*shown.directives, directive]


def _describe(schema: Schema) -> None:
    """Give types and fields without a description that of their docstring, which strawberry leaves aside."""
    for graphql_type in schema._schema.type_map.values():
        definition = graphql_type.extensions.get(DEFINITION)
        origin = getattr(definition, "origin", None)
        if origin is None:
            continue
        graphql_type.description = graphql_type.description or _documentation(origin)
        for field in getattr(graphql_type, "fields", {}).values():
            resolver = getattr(field.extensions.get(DEFINITION), "base_resolver", None)
            if resolver is not None:
                field.description = field.description or _documentation(resolver.wrapped_func)


def _documentation(thing: Any) -> str | None:
    text = thing.__doc__
    return None if text is None else "\n".join(line.strip() for line in text.strip().splitlines())
