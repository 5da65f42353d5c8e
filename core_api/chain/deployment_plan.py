"""What has to be done, and in which order, until the hub's contracts stand on a chain and govern themselves. No I/O."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from core_api.chain.contract_abi import contract, role
from core_api.chain.ledger import Call
from core_api.chain.schema import Kind

ANYBODY: Final = "0x" + "0" * 40
GENESIS_SUPPLY: Final = 10**24
"""One million SPARK for the hub to hand out, a thousandth of the most there can be; the rest is earned by staking."""
MARKET_FEE: Final = 250
"""Basis points of each sale, for the timelock: 2.5 %, as large marketplaces take."""
TIMELOCK_DELAY_S: Final = 2 * 24 * 3600
"""Two days between a decision and its execution, to see it and leave."""

Addresses = Mapping[str, str]
"""Of finished steps, by their names; ``hub`` is the account that deploys."""


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of a deployment."""

    name: str
    kind: Kind
    needs: tuple[str, ...]
    """Steps that must be finished before."""
    make: Callable[[Addresses], Call]
    """The call, out of the addresses of finished steps. Takes milliseconds: call it in a thread."""


def next_steps(done: Addresses) -> list[Step]:
    """The steps that can be taken now: what they need is done, and they are not. Empty when all are."""
    return [step for step in STEPS.values() if step.name not in done and all(need in done for need in step.needs)]


def _implementation(name: str) -> Step:
    return Step(f"{name} implementation", "deploy", (), lambda _: Call(None, contract(name).creation()))


def _proxy(name: str, needs: tuple[str, ...], arguments: Callable[[Addresses], tuple[Any, ...]]) -> Step:
    """The address that stays when the code changes. It is initialised in the transaction that creates it."""
    implementation = f"{name} implementation"

    def make(done: Addresses) -> Call:
        initialization = contract(name).call("initialize", *arguments(done))
        return Call(None, contract("SparkleProxy").creation(done[implementation], initialization))

    return Step(name, "deploy", (implementation, *needs), make)


def _plain(name: str, needs: tuple[str, ...], arguments: Callable[[Addresses], tuple[Any, ...]]) -> Step:
    return Step(name, "deploy", needs, lambda done: Call(None, contract(name).creation(*arguments(done))))


def _grant(on: str, role_name: str, to: str, *, after: tuple[str, ...] = ()) -> Step:
    def make(done: Addresses) -> Call:
        return Call(done[on], contract(on).call("grantRole", role(role_name), done[to]))

    return Step(f"{role_name} of {on} to {to}", "configure", (on, to, *after), make)


def _renounce(on: str, role_name: str, *, after: tuple[str, ...]) -> Step:
    def make(done: Addresses) -> Call:
        return Call(done[on], contract(on).call("renounceRole", role(role_name), done["hub"]))

    return Step(f"{role_name} of {on} renounced", "configure", after, make)


def _handed_over(on: str, role_name: str) -> Iterator[Step]:
    """From the hub to the timelock."""
    grant = _grant(on, role_name, "SparkleTimelock")
    yield grant
    yield _renounce(on, role_name, after=(grant.name,))


def _all() -> Iterator[Step]:
    yield _plain("SparkleTimelock", (), lambda done: (TIMELOCK_DELAY_S, [], [ANYBODY], done["hub"]))
    for name in ("SparkleToken", "SparkleNFT", "SparkleMarketplace"):
        yield _implementation(name)
    yield _proxy("SparkleToken", (), lambda done: (done["hub"], GENESIS_SUPPLY))
    yield _proxy("SparkleNFT", (), lambda done: (done["hub"],))
    yield _proxy(
        "SparkleMarketplace",
        ("SparkleNFT", "SparkleToken", "SparkleTimelock"),
        lambda done: (done["hub"], done["SparkleNFT"], done["SparkleToken"], MARKET_FEE, done["SparkleTimelock"]),
    )
    yield _plain(
        "SparkleGovernor",
        ("SparkleToken", "SparkleTimelock"),
        lambda done: (done["SparkleToken"], done["SparkleTimelock"]),
    )
    # From here on the contracts get their masters. The hub keeps what an operator needs at once: minting NFTs, pausing.
    # It can no longer grant rights, change the code, the fee or the reward rate: that takes a vote.
    proposer = _grant("SparkleTimelock", "PROPOSER_ROLE", "SparkleGovernor")
    canceller = _grant("SparkleTimelock", "CANCELLER_ROLE", "SparkleGovernor")
    yield from (proposer, canceller)
    # Whoever mints tokens mints votes: with that right the hub could outvote everybody.
    token = [*_handed_over("SparkleToken", "GOVERNANCE_ROLE"), *_handed_over("SparkleToken", "MINTER_ROLE")]
    yield from token
    grant, renounce = _handed_over("SparkleToken", "DEFAULT_ADMIN_ROLE")
    yield grant
    yield Step(renounce.name, renounce.kind, (*renounce.needs, *(step.name for step in token)), renounce.make)
    yield from _handed_over("SparkleNFT", "DEFAULT_ADMIN_ROLE")
    yield from _handed_over("SparkleMarketplace", "DEFAULT_ADMIN_ROLE")
    yield _renounce("SparkleTimelock", "DEFAULT_ADMIN_ROLE", after=(proposer.name, canceller.name))


STEPS: Final[Mapping[str, Step]] = {step.name: step for step in _all()}
"""All of them by name, each after those it needs."""
