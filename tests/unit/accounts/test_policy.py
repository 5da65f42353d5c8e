"""The access rule, whole."""

from collections.abc import Set

import pytest

from core_api.accounts.access import AccessRule
from core_api.accounts.policy import may
from hub.kernel.errors import Forbidden, NotFound
from hub.kernel.events import Actor
from hub.kernel.ids import SessionId, UserId
from hub.kernel.ports import Access, Roles

ADA = Actor(UserId("ada"), SessionId("s"))

# What the rule is, written out by hand: a change to the policy has to be made twice.
MATRIX = """
role       read comment write manage
owner      yes  yes     yes   yes
editor     yes  yes     yes   no
commenter  yes  yes     no    no
viewer     yes  no      no    no
none       no   no      no    no
"""
ACTIONS, *ROWS = [line.split() for line in MATRIX.strip().splitlines()]
CASES = [
    (None if role == "none" else role, action, answer == "yes")
    for role, *answers in ROWS
    for action, answer in zip(ACTIONS[1:], answers, strict=True)
]


class FixedRoles:
    """Everybody signed in has one role on resource "r", strangers another, and nobody any on others."""

    def __init__(self, role: str | None, stranger: str | None = None) -> None:
        self.members, self.stranger = role, stranger

    async def role(self, user_id: str | None, resource_id: str) -> str | None:
        if resource_id != "r":
            return None
        return self.stranger if user_id is None else self.members

    async def roles(self, user_id: str, resource_ids: Set[str]) -> dict[str, str]:
        found = {resource_id: await self.role(user_id, resource_id) for resource_id in resource_ids}
        return {resource_id: role for resource_id, role in found.items() if role is not None}


class Blocks:
    async def blocked(self, one: str, other: str) -> bool:
        assert one != other
        return {one, other} == {"ada", "mallory"}

    async def blocked_among(self, one: str, others: Set[str]) -> frozenset[str]:
        return frozenset([other for other in others if await self.blocked(one, other)])

    async def blocked_pairs(self, pairs: Set[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        return frozenset([pair for pair in pairs if await self.blocked(*pair)])


def rule(roles: Roles) -> AccessRule:
    access = AccessRule({"document": roles}, Blocks())
    _: Access = access
    return access


@pytest.mark.parametrize(("role", "action", "allowed"), CASES)
def test_each_role_may_do_exactly_what_the_matrix_says(role: str | None, action: str, allowed: bool) -> None:
    assert may(role, action) is allowed


@pytest.mark.parametrize(
    ("role", "action"), [("owner", "update"), ("admin", "read"), (None, "reed"), ("Owner", "read")]
)
def test_a_name_outside_the_matrix_is_a_mistake_and_not_a_refusal(role: str | None, action: str) -> None:
    with pytest.raises(ValueError, match="there is no"):
        may(role, action)


@pytest.mark.parametrize(("role", "action", "allowed"), CASES)
async def test_without_a_role_a_resource_is_absent_and_with_too_little_it_is_forbidden(
    role: str | None, action: str, allowed: bool
) -> None:
    check = rule(FixedRoles(role)).check(ADA, action, "document", "r")
    if allowed:
        await check
    else:
        with pytest.raises(NotFound if role is None else Forbidden):
            await check


async def test_a_stranger_has_the_role_that_everybody_has() -> None:
    access = rule(FixedRoles("editor", stranger="viewer"))
    await access.check(None, "read", "document", "r")
    with pytest.raises(Forbidden, match="Sign in"):
        await access.check(None, "write", "document", "r")


async def test_a_stranger_without_a_role_sees_absence() -> None:
    with pytest.raises(NotFound):
        await rule(FixedRoles("owner")).check(None, "read", "document", "r")


async def test_owners_of_resources_may_join_after_the_rule_was_made() -> None:
    roles: dict[str, Roles] = {}
    access = AccessRule(roles, Blocks())
    roles["room"] = FixedRoles("viewer")
    await access.check(ADA, "read", "room", "r")


async def test_of_many_resources_those_that_may_be_read_are_told() -> None:
    assert await rule(FixedRoles("viewer")).readable(ADA.user_id, "document", ["r", "s", "r"]) == {"r"}
    assert await rule(FixedRoles(None)).readable(ADA.user_id, "document", ["r"]) == frozenset()


async def test_nobody_blocks_themselves_and_a_block_counts_from_both_sides() -> None:
    access = rule(FixedRoles(None))
    assert await access.blocked("mallory", "ada")
    assert not await access.blocked("ada", "bob")
    assert not await access.blocked("ada", "ada")


async def test_of_many_those_with_a_block_are_told_and_never_oneself() -> None:
    access = rule(FixedRoles(None))
    assert await access.blocked_among("ada", ["bob", "mallory", "ada", "mallory"]) == {"mallory"}
    assert await access.blocked_among("ada", ["ada"]) == frozenset()
    pairs = [("ada", "mallory"), ("mallory", "ada"), ("ada", "bob"), ("ada", "ada")]
    assert await access.blocked_pairs(pairs) == {("ada", "mallory"), ("mallory", "ada")}
