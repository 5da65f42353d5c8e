"""What nodes say no with. The standard has no codes for it: geth, Nethermind, Besu, Reth and anvil differ in words."""

import re

_MOST_TEXT = 500  # characters kept of a node's message: it ends up in logs, and a contract can write it
_ERROR = "0x08c379a0"  # Error(string), of require and revert with a text
_WORD = 64  # hexadecimal digits of 32 bytes
_REVERTED = 3  # the code of geth, Reth and anvil; others send -32000 or -32015 with data

_KNOWN = re.compile(r"already ?known|known transaction|already imported|already in (the )?(mem|tx)?pool", re.I)
_NONCE_TOO_LOW = re.compile(r"nonce (is )?too low|old ?nonce|nonce.*already been used", re.I)
_UNDERPRICED = re.compile(r"underpriced|replacement ?not ?allowed|fee.*(too low|less than block base fee)", re.I)
_TOO_POOR = re.compile(r"insufficient (funds|balance)|upfront cost exceeds", re.I)
_EXECUTION = re.compile(r"revert", re.I)


class RpcRefused(Exception):
    """The node answered with an error: its JSON-RPC code, its words and its data. The same call gets the same again,
    until the chain has moved."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        self.code = code
        self.message = message[:_MOST_TEXT]
        self.data = _hexadecimal(data)
        """What the contract returned as it reverted, ``0x…``, or None."""
        super().__init__(f"{self.message} ({code})")

    @property
    def already_known(self) -> bool:
        """The node has these very bytes: as good as a success."""
        return _KNOWN.search(self.message) is not None

    @property
    def nonce_too_low(self) -> bool:
        """A transaction with this nonce is in a block: perhaps this very one."""
        return _NONCE_TOO_LOW.search(self.message) is not None

    @property
    def underpriced(self) -> bool:
        """The fees are too low, for the chain or to replace the transaction that waits with this nonce."""
        return _UNDERPRICED.search(self.message) is not None

    @property
    def too_poor(self) -> bool:
        """The account cannot pay for it."""
        return _TOO_POOR.search(self.message) is not None

    @property
    def reverted(self) -> bool:
        """The contract itself refuses; `data` and `reason` say why."""
        return self.code == _REVERTED or self.data is not None or _EXECUTION.search(self.message) is not None

    @property
    def reason(self) -> str | None:
        """The text that the contract reverted with, if it was one. Never more than 500 characters."""
        if self.data is None or not self.data.startswith(_ERROR):
            return None
        words = self.data[len(_ERROR) :]
        try:
            length = int(words[_WORD : 2 * _WORD], 16)
            text = bytes.fromhex(words[2 * _WORD : 2 * _WORD + 2 * min(length, _MOST_TEXT)])
        except ValueError:
            return None
        return text.decode(errors="replace")


def _hexadecimal(data: object) -> str | None:
    """The bytes among what nodes put there: the text itself, an object with `data`, or "Reverted 0x…"."""
    if isinstance(data, dict):
        data = data.get("data")
    found = re.search(r"0x[0-9a-fA-F]*", data) if isinstance(data, str) else None
    return found[0].lower() if found else None
