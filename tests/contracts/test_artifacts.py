"""The committed artifacts are what the compiler makes of the sources, and what upgrades may not change is checked."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.contracts.testbed import ARTIFACTS, PROJECT

CONTRACTS = PROJECT / "contracts"
COMPILE_S = 100
"""Compiling takes 15 s here, as one process that computes."""


@pytest.fixture(scope="module")
def compiler() -> None:
    """Skips the module without Node.js or the compiler; under SPARKLE_TEST_ALL that is a failure instead."""
    if not shutil.which("node"):
        lacking = "node is not installed"
    elif not (CONTRACTS / "node_modules/solc").is_dir():
        lacking = "the npm packages of contracts/ are not installed (./sparkle test installs them)"
    else:
        return
    if os.environ.get("SPARKLE_TEST_ALL"):  # noqa: TID251 about this test run, not about the hub
        pytest.fail(f"SPARKLE_TEST_ALL is set, and {lacking}")
    pytest.skip(lacking)


def node(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["node", *arguments]
    return subprocess.run(command, cwd=CONTRACTS, capture_output=True, text=True, timeout=COMPILE_S, check=False)


def test_compiling_the_sources_gives_the_committed_artifacts_byte_for_byte(compiler: None) -> None:
    checked = node("compile.mjs", "--check")
    assert checked.returncode == 0, checked.stderr
    made = {PROJECT / line for line in checked.stdout.split()}
    committed = {path for folder in ARTIFACTS for path in folder.iterdir()} | {CONTRACTS / "storage-layout.json"}
    assert made == committed


def test_artifacts_have_what_deploying_and_verifying_take() -> None:
    for path in (path for folder in ARTIFACTS for path in folder.iterdir()):
        artifact = json.loads(path.read_text())
        assert list(artifact) == ["contractName", "abi", "bytecode", "compiler"]
        assert artifact["contractName"] == path.stem
        assert artifact["compiler"]["version"].startswith("0.8.37+")
        assert bytes.fromhex(artifact["bytecode"].removeprefix("0x"))


@pytest.mark.parametrize(
    ("after", "broken"),
    [
        pytest.param(["address a", "uint256 b", "bool c"], False, id="a field added at the end"),
        pytest.param(["uint256 b", "address a"], True, id="fields moved"),
        pytest.param(["address a"], True, id="a field removed"),
        pytest.param(["address a", "uint128 b"], True, id="a field of another type"),
        pytest.param(None, True, id="the struct gone"),
    ],
)
def test_fields_of_deployed_contracts_may_only_be_added_to(
    compiler: None, after: list[str] | None, broken: bool
) -> None:
    before = {"Thing.Storage": ["address a", "uint256 b"]}
    now = {} if after is None else {"Thing.Storage": after}
    script = f"""
        import {{ rearranged }} from "./storage.mjs";
        console.log(JSON.stringify(rearranged({json.dumps(before)}, {json.dumps(now)})));
    """
    said = node("--input-type=module", "--eval", script)
    assert json.loads(said.stdout) == (["Thing.Storage"] if broken else []), said.stderr


def test_fields_outside_of_a_namespace_are_found(compiler: None) -> None:
    contract = {"nodeType": "ContractDefinition", "name": "Thing", "nodes": []}
    output = {
        "sources": {"a.sol": {"ast": {"nodes": [contract]}}},
        "contracts": {"a.sol": {"Thing": {"storageLayout": {"storage": [{"label": "stray"}]}}}},
    }
    script = f"""
        import {{ storageLayout }} from "./storage.mjs";
        storageLayout({json.dumps(output)}, ["a.sol"]);
    """
    said = node("--input-type=module", "--eval", script)
    assert "Thing keeps stray outside of an ERC-7201 struct" in said.stderr


def test_locked_packages_are_exact_and_name_no_registry() -> None:
    package = json.loads((CONTRACTS / "package.json").read_text())
    versions = {**package["dependencies"], **package["optionalDependencies"]}
    assert versions == {
        "@foundry-rs/anvil-linux-amd64": "1.7.1",
        "@openzeppelin/contracts": "5.7.0",
        "@openzeppelin/contracts-upgradeable": "5.7.0",
        "solc": "0.8.37",
    }
    lock = json.loads(Path(CONTRACTS / "package-lock.json").read_text())["packages"]
    for name, entry in lock.items():
        assert "resolved" not in entry, name
        assert not name or entry["integrity"].startswith("sha512-"), name
