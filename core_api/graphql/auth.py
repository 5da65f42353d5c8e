"""``@auth``: says in the schema which fields need somebody who is signed in."""

import strawberry
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField


@strawberry.schema_directive(locations=[Location.FIELD_DEFINITION], name="auth")
class Auth:
    """For those who are signed in; others get `unauthorized`."""


def auth(field: StrawberryField) -> StrawberryField:
    """Declare it of a field. The resolver refuses strangers, by ``Context.signed_in``; a test compares the two."""
    field.directives = [*field.directives, Auth()]
    return field
