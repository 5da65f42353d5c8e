"""The hub's contracts as compiled: encoding what is sent to them, decoding what they answer, tell and refuse."""

from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from core_api.chain.addresses import keccak

CONTRACTS: Final = ("SparkleToken", "SparkleNFT", "SparkleMarketplace", "SparkleTimelock", "SparkleGovernor")
"""What a complete deployment has."""
ERROR, PANIC = bytes.fromhex("08c379a0"), bytes.fromhex("4e487b71")
"""Selectors of what every contract may answer: ``Error(string)`` and ``Panic(uint256)``."""


class Contract:
    """One artifact. Its methods import eth_abi at first use (0.3 s): call them in a thread until then."""

    def __init__(self, abi: list[dict[str, Any]], bytecode: bytes) -> None:
        self._bytecode = bytecode
        constructors = (entry for entry in abi if entry["type"] == "constructor")
        self._constructor: list[dict[str, Any]] = next(constructors, {"inputs": []})["inputs"]
        self._functions = {entry["name"]: entry for entry in abi if entry["type"] == "function"}
        self._events = {entry["name"]: entry for entry in abi if entry["type"] == "event"}
        self._errors = [entry for entry in abi if entry["type"] == "error"]

    def creation(self, *arguments: Any) -> bytes:
        """Data of the transaction that creates it."""
        return self._bytecode + _encode(self._constructor, arguments)

    def call(self, function: str, *arguments: Any) -> bytes:
        """Data of a call."""
        entry = self._functions[function]
        return _selector(entry) + _encode(entry["inputs"], arguments)

    def result(self, function: str, data: bytes) -> tuple[Any, ...]:
        """What a call returned. Raises ValueError if the contract is another one."""
        from eth_abi.abi import decode  # noqa: PLC0415 imported at first use
        from eth_abi.exceptions import DecodingError  # noqa: PLC0415

        try:
            return tuple(decode([_type(output) for output in self._functions[function]["outputs"]], data))
        except (DecodingError, OverflowError) as error:
            raise ValueError(f"{function} answered {data[:64].hex() or 'nothing'}") from error

    def topic(self, event: str) -> str:
        """The first topic of an event's logs."""
        return "0x" + keccak(_signature(self._events[event])).hex()

    def error(self, data: bytes) -> str | None:
        """The name of the error that a call was refused with, ``None`` for one that is not this contract's."""
        for entry in self._errors:
            if data[:4] == _selector(entry):
                return str(entry["name"])
        return {ERROR: "Error", PANIC: "Panic"}.get(data[:4])


@cache
def contract(name: str) -> Contract:
    """The artifact of this name, which is read from the disk the first time."""
    artifact = msgspec.json.decode((files("core_api.chain") / "artifacts" / f"{name}.json").read_bytes())
    return Contract(artifact["abi"], bytes.fromhex(artifact["bytecode"].removeprefix("0x")))


@cache
def role(name: str) -> bytes:
    """The number of a role of OpenZeppelin's AccessControl."""
    return bytes(32) if name == "DEFAULT_ADMIN_ROLE" else keccak(name.encode())


def load_all() -> None:
    """Read every artifact: 200 KB of JSON, so once, and in a thread."""
    for name in CONTRACTS:
        contract(name)


def name_of_error(data: bytes) -> str | None:
    """The name of the error that any of the contracts refused a call with, ``None`` if it is none of theirs."""
    return next((name for one in CONTRACTS if (name := contract(one).error(data)) is not None), None)


def _encode(inputs: list[dict[str, Any]], arguments: tuple[Any, ...]) -> bytes:
    from eth_abi.abi import encode  # noqa: PLC0415 imported at first use

    return encode([_type(one) for one in inputs], arguments)


def _selector(entry: dict[str, Any]) -> bytes:
    return keccak(_signature(entry))[:4]


def _signature(entry: dict[str, Any]) -> bytes:
    return f"{entry['name']}({','.join(_type(one) for one in entry['inputs'])})".encode()


def _type(parameter: dict[str, Any]) -> str:
    """The type as signatures have it, structs spelled out."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(one) for one in parameter['components'])}){kind.removeprefix('tuple')}"
