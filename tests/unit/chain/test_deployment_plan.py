"""core_api.chain.deployment_plan and contract_abi: the order of a deployment, and that its calls can be encoded."""

import pytest

from core_api.chain.contract_abi import CONTRACTS, contract, name_of_error, role
from core_api.chain.deployment_plan import STEPS, next_steps

HUB = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def address_of(number: int) -> str:
    return f"0x{number:040x}"


def test_every_step_gets_its_turn_once_what_it_needs_is_done_and_can_be_encoded() -> None:
    done = {"hub": HUB}
    order: list[str] = []
    while steps := next_steps(done):
        for step in steps:
            call = step.make(done)
            assert (call.to is None) == (step.kind == "deploy"), step.name
            order.append(step.name)
        done |= {step.name: address_of(len(order)) for step in steps}
    assert sorted(order) == sorted(STEPS)
    assert set(CONTRACTS) <= set(order)


def test_the_hub_gives_a_right_away_only_after_the_timelock_has_it() -> None:
    everything = {"hub": HUB} | {name: address_of(1) for name in STEPS}
    for name in STEPS:
        if name.endswith("renounced"):
            granted = name.replace("renounced", "to SparkleTimelock")
            without = {step: at for step, at in everything.items() if step not in {granted, name}}
            if granted in STEPS:
                assert name not in [step.name for step in next_steps(without)]


def test_the_timelock_is_left_alone_only_when_the_governor_rules_it() -> None:
    step = STEPS["DEFAULT_ADMIN_ROLE of SparkleTimelock renounced"]
    assert {"PROPOSER_ROLE of SparkleTimelock to SparkleGovernor"} < set(step.needs)


def test_a_refusal_is_known_by_its_name() -> None:
    assert name_of_error(contract("SparkleNFT").call("tokenOfContent", bytes(32))) is None
    assert name_of_error(bytes.fromhex("08c379a0") + bytes(64)) == "Error"
    assert name_of_error(b"") is None


def test_an_answer_of_another_contract_is_an_error() -> None:
    nft = contract("SparkleNFT")
    assert nft.result("tokenOfContent", (7).to_bytes(32, "big")) == (7,)
    with pytest.raises(ValueError, match="nothing"):
        nft.result("tokenOfContent", b"")


def test_roles_are_those_of_openzeppelin() -> None:
    assert role("DEFAULT_ADMIN_ROLE") == bytes(32)
    assert role("MINTER_ROLE").hex() == "9f2df0fed2c77648de5860a4cc508cd0818c85b8b8a1ab4ceeef8d981c8956a6"
