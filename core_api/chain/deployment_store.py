"""What is kept of deployments, as a Protocol."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from core_api.chain.ledger import ChainIdentity


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """The hub's contracts on one chain."""

    id: int
    identity: ChainIdentity
    state: Literal["deploying", "ready", "orphaned"]
    contracts: dict[str, str]
    """Name → address (EIP-55). All of them, once it is ready."""


class DeploymentStore(Protocol):
    """Deployments: one for each chain that the hub has met, and at most one of a chain id that is not orphaned."""

    async def open(self, identity: ChainIdentity, now: datetime) -> Deployment:
        """The deployment of this chain, which is made if it is new.

        In the same transaction those of other chains with the same id, and all of their transactions that have not
        failed, become ``orphaned``, and their owners are told. A chain that comes back is in use again, its
        transactions are not: a mint that is asked for again finds its token.
        """
        ...

    async def get(self, deployment_id: int) -> Deployment | None:
        """The deployment with this id."""
        ...

    async def complete(self, deployment_id: int, contracts: Mapping[str, str]) -> None:
        """Say that these contracts are in use now, and let what is queued for them be looked at now.

        Idempotent; an orphaned deployment stays so.
        """
        ...
