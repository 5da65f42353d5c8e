"""Ethereum JSON-RPC values: hexadecimal numbers and bytes, read strictly and written; and errors with their codes."""

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
UNKNOWN_METHOD = -32601
INVALID_PARAMS = -32602
REFUSED = -32000
"""What geth answers for a transaction that its pool does not take, and for a call that ends in an error."""
REVERTED = 3
"""A contract reverted; `data` is what it returned."""

ADDRESS_BYTES = 20
HASH_BYTES = 32
_UINT256_HEX = 64
_BLOCK_TAGS = ("latest", "pending", "earliest", "safe", "finalized")
_QUANTITY = re.compile(rf"0x[0-9a-fA-F]{{1,{_UINT256_HEX}}}")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


class RpcError(Exception):
    """Becomes the `error` object of the answer."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def to_wire(self) -> dict[str, Any]:
        """The object, `data` only where there is some."""
        wire: dict[str, Any] = {"code": self.code, "message": self.message}
        return wire if self.data is None else wire | {"data": self.data}


def quantity(value: object, name: str = "value") -> int:
    """A number: `0x…`, at most 256 bits; plain JSON numbers are taken too, as anvil does."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 256:
        return value
    if _matches(value, _QUANTITY):
        return int(value, 16)
    raise RpcError(INVALID_PARAMS, f"invalid {name}: a hexadecimal number like 0x1f was expected")


def data(value: object, name: str = "data", length: int | None = None) -> bytes:
    """Bytes: `0x…` with two digits each, exactly `length` of them where it is given."""
    if _matches(value, _DATA):
        raw = bytes.fromhex(value[2:])
        if length is None or len(raw) == length:
            return raw
    size = "" if length is None else f"{length} "
    raise RpcError(INVALID_PARAMS, f"invalid {name}: {size}bytes like 0x00ff were expected")


def address(value: object, name: str = "address") -> bytes:
    """Twenty bytes; upper and lower case mean the same."""
    return data(value, name, ADDRESS_BYTES)


def block_tag(value: object) -> int | str:
    """A block number, or one of the names that the specification has."""
    if isinstance(value, str) and value in _BLOCK_TAGS:
        return value
    return quantity(value, "block")


def mapping(value: object, name: str) -> Mapping[str, Any]:
    """An object whose null members count as absent."""
    if isinstance(value, dict):
        return {key: one for key, one in value.items() if one is not None}
    raise RpcError(INVALID_PARAMS, f"invalid {name}: an object was expected")


def shown(value: Any) -> Any:
    """`value` as JSON: numbers and bytes in hexadecimal, names in camel case, the rest as it is."""
    match value:
        case None | bool() | str() | float():
            return value
        case int():
            return hex(value)
        case bytes():
            return f"0x{value.hex()}"
        case dict():
            return {_camel(name): shown(one) for name, one in value.items()}
        case _:
            return [shown(one) for one in value]


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _matches(value: object, pattern: re.Pattern[str]) -> TypeGuard[str]:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
