"""web3 over our own client of the node. Imports web3, so it is itself imported at first use, in a thread."""

from typing import TYPE_CHECKING, Any

from web3 import AsyncWeb3
from web3.providers.async_base import AsyncBaseProvider
from web3.types import RPCEndpoint, RPCResponse

if TYPE_CHECKING:
    from core_api.chain.rpc import ChainClient


def make_web3(client: "ChainClient") -> AsyncWeb3[Any]:
    """web3 whose calls are `client.request`, and which raises what that raises, not web3's own errors.

    Names of ENS are not resolved: they would be asked of whatever contract the chain has there.
    """
    w3: AsyncWeb3[Any] = AsyncWeb3(_OverClient(client))
    w3.ens = None
    return w3


class _OverClient(AsyncBaseProvider):
    # A contract can answer "ask this URL" (EIP-3668), and web3 would: a request forged by whoever wrote the contract.
    global_ccip_read_enabled = False

    def __init__(self, client: "ChainClient") -> None:
        super().__init__()
        self._client = client

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        return {"jsonrpc": "2.0", "id": 0, "result": await self._client.request(method, *params)}

    async def is_connected(self, show_traceback: bool = False) -> bool:
        await self._client.request("web3_clientVersion")
        return True
