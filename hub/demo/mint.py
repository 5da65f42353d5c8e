"""The chapter in which one connects a wallet and mints a post."""

import asyncio

from hub.demo.errors import DemoError
from hub.demo.person import Person

MINT_S = 45.0
"""The first mint of a hub starts its chain and deploys the contracts: 5 s when nothing else runs."""


async def mint(ada: Person, _bob: Person) -> None:
    """Ada signs in with a wallet, mints a post, and the chain says that the token is hers."""
    chains = (await ada.api.get("/blockchain/chains"))["data"]
    if not chains:
        ada.does("has no chain here: this hub was started without one")
        return
    chain_id = chains[0]["chainId"]
    address = await _connect_wallet(ada, chain_id)
    content = {"blocks": [{"type": "paragraph", "text": "A new, a vast, and a powerful language is developed."}]}
    post = await ada.api.post("/posts", {"title": "Note A", "content": content, "status": "PUBLISHED"})
    job = await ada.api.post("/blockchain/nft/mint", {"postId": post["id"]})
    ada.does(f'mints "{post["title"]}"')
    last = await ada.sees(
        "chain:transaction",
        lambda event: (
            event["transactionId"] == job["transactionId"] and event["state"] in ("confirmed", "failed", "orphaned")
        ),
        what="chain:transaction with the mint confirmed",
        within_s=MINT_S,
    )
    if last["state"] != "confirmed":
        raise DemoError(f"the mint {last['state']}: {last.get('error')}")
    ada.has_seen(f"token {last['tokenId']} confirmed, by transaction {last['hash'][:10]}…")
    owned = (await ada.api.get(f"/blockchain/nfts?owner={address}"))["data"]
    if [token["tokenId"] for token in owned] != [last["tokenId"]]:
        raise DemoError(f"the chain gives {address} other tokens: {owned}")
    ada.has_seen("that the token is her wallet's")


async def _connect_wallet(person: Person, chain_id: int) -> str:
    """The address of a new wallet, after the hub has taken its signature (EIP-4361)."""
    wallet = await asyncio.to_thread(Wallet)
    asked = await person.api.post("/blockchain/wallet/nonce", {"address": wallet.address, "chainId": chain_id})
    proof = {"address": wallet.address, "message": asked["message"], "signature": wallet.sign(asked["message"])}
    await person.api.post("/blockchain/wallet/connect", proof)
    person.does(f"connects the wallet {wallet.address[:8]}…")
    return wallet.address


class Wallet:
    """A key that nobody had before. Made in a thread: its imports take a second."""

    def __init__(self) -> None:
        from eth_account import Account  # noqa: PLC0415 not at the start of a demo that may end before this chapter

        self._account = Account.create()
        self.address = str(self._account.address)

    def sign(self, text: str) -> str:
        """What a wallet's ``personal_sign`` gives."""
        from eth_account.messages import encode_defunct  # noqa: PLC0415 see above

        return "0x" + bytes(self._account.sign_message(encode_defunct(text=text)).signature).hex()
