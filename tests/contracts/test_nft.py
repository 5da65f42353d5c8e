"""NFTs: who made them, what they say of themselves, which of them stay where they are."""

import pytest
from web3 import Web3

from tests.contracts.testbed import NOBODY, SPARK, Deployed, Market, Testbed

POST, ARTWORK, ACHIEVEMENT, COLLECTIBLE = range(4)
CONTENT = b"\x11" * 32


def mint(bed: Testbed, nft: Deployed, to: str, **changes: object) -> int:
    what = {"kind": POST, "royalty": 0, "soulbound": False, "content": bytes(32), "creator": bed.author} | changes
    order = (to, what["creator"], "ipfs://bafy", what["kind"], what["royalty"], what["soulbound"], what["content"])
    return int(nft.do("mintNFT", *order, by=bed.admin).event("NFTMinted")["tokenId"])


def test_a_token_has_the_metadata_it_was_minted_with(bed: Testbed, nft: Deployed) -> None:
    token_id = mint(bed, nft, bed.alice, kind=ARTWORK)
    assert nft.read("tokenURI", token_id) == "ipfs://bafy"
    with nft.refuses("ERC721NonexistentToken"):
        nft.read("tokenURI", token_id + 1)


def test_creator_and_receiver_of_royalties_is_the_author_and_not_who_gets_the_token(
    bed: Testbed, nft: Deployed
) -> None:
    minted = nft.do("mintNFT", bed.alice, bed.author, "ipfs://bafy", POST, 250, False, CONTENT, by=bed.admin)
    event = minted.event("NFTMinted")
    token_id = event["tokenId"]
    assert event == {"tokenId": token_id, "creator": bed.author, "owner": bed.alice, "contentType": POST}
    assert nft.read("royaltyInfo", token_id, SPARK) == [bed.author, SPARK * 25 // 1000]
    assert nft.read("info", token_id)[0] == bed.author
    with nft.refuses("NoCreator"):
        mint(bed, nft, bed.alice, creator=NOBODY)


def test_royalties_are_ten_percent_at_most(bed: Testbed, nft: Deployed) -> None:
    mint(bed, nft, bed.alice, royalty=1000)
    with nft.refuses("RoyaltyTooHigh"):
        mint(bed, nft, bed.alice, royalty=1001)


def test_only_minters_mint(bed: Testbed, nft: Deployed) -> None:
    with nft.refuses("AccessControlUnauthorizedAccount"):
        nft.do("mintNFT", bed.alice, bed.alice, "ipfs://bafy", POST, 0, False, CONTENT, by=bed.alice)


@pytest.mark.parametrize(
    "interface",
    [
        pytest.param("0x01ffc9a7", id="ERC-165"),
        pytest.param("0x80ac58cd", id="ERC-721"),
        pytest.param("0x5b5e139f", id="ERC-721 metadata"),
        pytest.param("0x2a55205a", id="ERC-2981"),
        pytest.param("0x49064906", id="ERC-4906"),
        pytest.param("0xb45a3c0e", id="ERC-5192"),
        pytest.param("0x7965db0b", id="AccessControl"),
    ],
)
def test_the_standards_it_follows_are_announced(nft: Deployed, interface: str) -> None:
    assert nft.read("supportsInterface", interface)
    assert not nft.read("supportsInterface", "0xffffffff")


def test_metadata_and_locks_are_told_by_the_events_of_their_standards(bed: Testbed, nft: Deployed) -> None:
    minted = nft.do("mintNFT", bed.alice, bed.author, "ipfs://bafy", POST, 0, True, CONTENT, by=bed.admin)
    assert [name for name, _ in minted.events] == ["Transfer", "MetadataUpdate", "Locked", "NFTMinted"]
    token_id = mint(bed, nft, bed.alice)
    assert nft.do("lockToken", token_id, by=bed.alice).event("Locked") == {"tokenId": token_id}


def test_one_content_is_minted_once_also_after_its_token_is_gone(bed: Testbed, nft: Deployed) -> None:
    token_id = mint(bed, nft, bed.alice, content=CONTENT)
    assert nft.read("tokenOfContent", CONTENT) == token_id
    with nft.refuses("AlreadyMinted"):
        mint(bed, nft, bed.bob, content=CONTENT)
    nft.do("burn", token_id, by=bed.alice)
    with nft.refuses("AlreadyMinted"):
        mint(bed, nft, bed.bob, content=CONTENT)
    assert nft.read("tokenOfContent", CONTENT) == nft.read("totalMinted") == token_id
    assert mint(bed, nft, bed.alice) != mint(bed, nft, bed.alice)  # those of nothing in particular


@pytest.mark.parametrize(
    "transfer", ["transferFrom", "safeTransferFrom(address,address,uint256)", "safeTransferFrom with data"]
)
def test_a_soulbound_token_stays_whichever_way_it_is_moved(bed: Testbed, nft: Deployed, transfer: str) -> None:
    token_id = mint(bed, nft, bed.alice, soulbound=True)
    assert nft.read("locked", token_id)
    nft.do("setApprovalForAll", bed.bob, True, by=bed.alice)
    data: tuple[bytes, ...] = ()
    if transfer.endswith("with data"):
        transfer, data = "safeTransferFrom(address,address,uint256,bytes)", (b"x",)
    for mover in (bed.alice, bed.bob):
        with nft.refuses("Soulbound"):
            nft.do(transfer, bed.alice, bed.carol, token_id, *data, by=mover)
    assert nft.read("ownerOf", token_id) == bed.alice


def test_the_issuer_chooses_what_is_soulbound_and_later_only_the_owner_can_bind_a_token(
    bed: Testbed, nft: Deployed
) -> None:
    token_id = mint(bed, nft, bed.alice, kind=ACHIEVEMENT, soulbound=True)
    assert nft.read("locked", token_id)
    free = mint(bed, nft, bed.alice, kind=COLLECTIBLE)
    nft.do("setApprovalForAll", bed.bob, True, by=bed.alice)
    for stranger in (bed.admin, bed.bob):
        with nft.refuses("NotOwner"):
            nft.do("lockToken", free, by=stranger)
    assert not nft.read("locked", free)
    nft.do("lockToken", free, by=bed.alice)
    assert nft.read("locked", free)
    assert nft.do("lockToken", free, by=bed.alice).events == []  # twice is once


def test_a_lock_takes_back_the_approval(bed: Testbed, nft: Deployed) -> None:
    token_id = mint(bed, nft, bed.alice)
    nft.do("approve", bed.bob, token_id, by=bed.alice)
    nft.do("lockToken", token_id, by=bed.alice)
    assert nft.read("getApproved", token_id) == NOBODY


def test_a_receiver_that_locks_its_token_while_it_is_minted_finds_it_locked(bed: Testbed, nft: Deployed) -> None:
    receiver = bed.deploy("CallbackReceiver")
    expected = nft.read("totalMinted") + 1
    receiver.do("actOnReceipt", nft.address, nft.data("lockToken", expected), by=bed.admin)
    minted = nft.do("mintNFT", receiver.address, bed.author, "ipfs://bafy", POST, 0, False, CONTENT, by=bed.admin)
    assert nft.read("locked", expected)
    told = [name for name, _ in minted.events]
    assert told.index("NFTMinted") < told.index("Locked")


def test_a_receiver_that_burns_its_token_while_it_is_minted_cannot_have_it_again(bed: Testbed, nft: Deployed) -> None:
    receiver = bed.deploy("CallbackReceiver")
    expected = nft.read("totalMinted") + 1
    receiver.do("actOnReceipt", nft.address, nft.data("burn", expected), by=bed.admin)
    assert mint(bed, nft, receiver.address, content=CONTENT) == expected
    with nft.refuses("ERC721NonexistentToken"):
        nft.read("ownerOf", expected)
    with nft.refuses("AlreadyMinted"):
        mint(bed, nft, receiver.address, content=CONTENT)


def test_a_contract_that_cannot_hold_tokens_gets_none(market: Market) -> None:
    with market.nft.refuses("ERC721InvalidReceiver"):
        market.mint(market.token.address)


def test_a_token_can_be_burned_by_its_owner_and_is_gone_with_its_royalties(bed: Testbed, nft: Deployed) -> None:
    token_id = mint(bed, nft, bed.alice, royalty=500, soulbound=True)
    with nft.refuses("ERC721InsufficientApproval"):
        nft.do("burn", token_id, by=bed.bob)
    nft.do("burn", token_id, by=bed.alice)
    with nft.refuses("ERC721NonexistentToken"):
        nft.read("ownerOf", token_id)
    with nft.refuses("ERC721NonexistentToken"):
        nft.read("locked", token_id)
    assert nft.read("royaltyInfo", token_id, SPARK) == [NOBODY, 0]


def test_each_change_of_hands_is_counted(bed: Testbed, nft: Deployed) -> None:
    token_id = mint(bed, nft, bed.alice)
    assert nft.read("transfersOf", token_id) == 1
    nft.do("transferFrom", bed.alice, bed.bob, token_id, by=bed.alice)
    nft.do("transferFrom", bed.bob, bed.alice, token_id, by=bed.bob)
    assert nft.read("transfersOf", token_id) == 3


def test_the_number_of_its_interface_is_the_one_of_the_standard() -> None:
    assert Web3.keccak(text="locked(uint256)")[:4].hex() == "b45a3c0e"
