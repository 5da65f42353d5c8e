"""The REST side of wallets: /blockchain/wallet/* and /blockchain/wallets."""

from core_api.chain.wallet_schema import MessageToSign, WalletProof, WalletToConnect, WalletView
from core_api.chain.wallets import Wallets
from hub.kernel.events import Actor
from hub.kernel.http import RestApi
from hub.kernel.pages import Page, PageQuery
from hub.kernel.wire import Uuid


def wallets_api(wallets: Wallets) -> RestApi:
    """Connecting wallets, listing and disconnecting one's own."""
    api = RestApi("chain")

    async def wallet_message(body: WalletToConnect, actor: Actor) -> MessageToSign:
        """Get the message whose signature connects a wallet."""
        return await wallets.message(actor, body)

    async def connect_wallet(body: WalletProof, actor: Actor) -> WalletView:
        """Connect a wallet by its signature."""
        return await wallets.connect(actor, body)

    async def list_wallets(query: PageQuery, actor: Actor) -> Page[WalletView]:
        """List one's connected wallets, the last connected first."""
        return await wallets.list(actor, query)

    async def disconnect_wallet(wallet_id: Uuid, actor: Actor) -> None:
        """Disconnect one's wallet."""
        await wallets.disconnect(actor, wallet_id)

    api.post("/blockchain/wallet/nonce", wallet_message, limit=wallets.limit)
    api.post("/blockchain/wallet/connect", connect_wallet, limit=wallets.limit)
    api.get("/blockchain/wallets", list_wallets)
    api.delete("/blockchain/wallets/{walletId}", disconnect_wallet)
    return api
