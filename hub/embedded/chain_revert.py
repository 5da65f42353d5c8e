"""What a contract said when it reverted, as the error that nodes answer."""

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from hub.embedded.chain_json import REVERTED, RpcError

_ERROR = bytes.fromhex("08c379a0")  # Error(string), of require and revert with a text
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256), of the compiler's own checks


def reverted(returned: bytes) -> RpcError:
    """The error with `returned` as data: the clients decode contracts' own errors from it."""
    return RpcError(REVERTED, f"execution reverted{_reason(returned)}", f"0x{returned.hex()}")


def _reason(returned: bytes) -> str:
    try:
        if returned[:4] == _ERROR:
            return f": {decode(['string'], returned[4:])[0]}"
        if returned[:4] == _PANIC:
            return f": panic code 0x{decode(['uint256'], returned[4:])[0]:02x}"
    except (DecodingError, ValueError):
        pass  # made by hand, perhaps to fool whoever reads it
    return ""
