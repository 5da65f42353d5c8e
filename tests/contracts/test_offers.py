"""Offers: made, replaced, taken back, accepted, and not after their time."""

import pytest

from tests.contracts.testbed import DAY, Market, Testbed

PRICE = 1000


@pytest.fixture
def token_id(market: Market, bed: Testbed) -> int:
    """Alice's, with Bob able to pay for it."""
    market.fund(bed.bob, 10 * PRICE)
    token_id = market.mint(bed.alice)
    market.nft.do("approve", market.marketplace.address, token_id, by=bed.alice)
    return token_id


def test_an_accepted_offer_is_a_sale(market: Market, bed: Testbed, token_id: int) -> None:
    made = market.marketplace.do("offer", token_id, PRICE, bed.now + DAY, by=bed.bob)
    assert (made.event("OfferMade")["buyer"], made.event("OfferMade")["price"]) == (bed.bob, PRICE)
    market.marketplace.do("list", token_id, 9 * PRICE, 0, by=bed.alice)
    market.marketplace.do("accept", token_id, bed.bob, PRICE, by=bed.alice)
    assert market.owner(token_id) == bed.bob
    assert market.balance(bed.alice) == 975
    assert market.marketplace.read("listings", token_id)[3] == 0
    with market.marketplace.refuses("NotOwner"):
        market.marketplace.do("accept", token_id, bed.bob, PRICE, by=bed.alice)


def test_an_offer_is_used_up_by_its_acceptance(market: Market, bed: Testbed, token_id: int) -> None:
    market.marketplace.do("offer", token_id, PRICE, bed.now + DAY, by=bed.bob)
    market.marketplace.do("accept", token_id, bed.bob, PRICE, by=bed.alice)
    market.nft.do("transferFrom", bed.bob, bed.carol, token_id, by=bed.bob)
    market.nft.do("approve", market.marketplace.address, token_id, by=bed.carol)
    with market.marketplace.refuses("NoOffer"):
        market.marketplace.do("accept", token_id, bed.bob, PRICE, by=bed.carol)


def test_a_seller_gets_no_less_than_the_offer_they_saw(market: Market, bed: Testbed, token_id: int) -> None:
    market.marketplace.do("offer", token_id, PRICE, bed.now + DAY, by=bed.bob)
    market.marketplace.do("offer", token_id, 1, bed.now + DAY, by=bed.bob)
    with market.marketplace.refuses("PriceTooLow"):
        market.marketplace.do("accept", token_id, bed.bob, PRICE, by=bed.alice)


def test_an_offer_can_be_withdrawn_once(market: Market, bed: Testbed, token_id: int) -> None:
    market.marketplace.do("offer", token_id, PRICE, bed.now + DAY, by=bed.bob)
    withdrawn = market.marketplace.do("withdrawOffer", token_id, by=bed.bob)
    assert withdrawn.event("OfferWithdrawn") == {"tokenId": token_id, "buyer": bed.bob}
    with market.marketplace.refuses("NoOffer"):
        market.marketplace.do("withdrawOffer", token_id, by=bed.bob)
    with market.marketplace.refuses("NoOffer"):
        market.marketplace.do("accept", token_id, bed.bob, PRICE, by=bed.alice)


def test_an_offer_ends_at_its_time_and_has_to_have_one(market: Market, bed: Testbed, token_id: int) -> None:
    for passed in (0, bed.now):
        with market.marketplace.refuses("ExpiryPassed"):
            market.marketplace.do("offer", token_id, PRICE, passed, by=bed.bob)
    market.marketplace.do("offer", token_id, PRICE, bed.now + DAY, by=bed.bob)
    bed.pass_time(DAY)
    with market.marketplace.refuses("NoOffer"):
        market.marketplace.do("accept", token_id, bed.bob, PRICE, by=bed.alice)


def test_offers_of_nothing_for_nothing_and_to_oneself_are_refused(market: Market, bed: Testbed, token_id: int) -> None:
    soon = bed.now + DAY
    with market.marketplace.refuses("ZeroPrice"):
        market.marketplace.do("offer", token_id, 0, soon, by=bed.bob)
    with market.nft.refuses("ERC721NonexistentToken"):
        market.marketplace.do("offer", token_id + 1, PRICE, soon, by=bed.bob)
    with market.marketplace.refuses("OwnToken"):
        market.marketplace.do("offer", token_id, PRICE, soon, by=bed.alice)
    market.marketplace.do("offer", token_id, PRICE, soon, by=bed.bob)
    market.nft.do("transferFrom", bed.alice, bed.bob, token_id, by=bed.alice)
    with market.marketplace.refuses("OwnToken"):
        market.marketplace.do("accept", token_id, bed.bob, PRICE, by=bed.bob)


def test_only_the_owner_accepts_and_an_offer_is_to_whoever_that_is(market: Market, bed: Testbed, token_id: int) -> None:
    market.marketplace.do("offer", token_id, PRICE, bed.now + DAY, by=bed.bob)
    with market.marketplace.refuses("NotOwner"):
        market.marketplace.do("accept", token_id, bed.bob, PRICE, by=bed.carol)
    market.nft.do("transferFrom", bed.alice, bed.carol, token_id, by=bed.alice)
    market.nft.do("setApprovalForAll", market.marketplace.address, True, by=bed.carol)
    market.marketplace.do("accept", token_id, bed.bob, PRICE, by=bed.carol)
    assert market.owner(token_id) == bed.bob


def test_an_offer_without_the_money_sells_nothing(market: Market, bed: Testbed, token_id: int) -> None:
    market.marketplace.do("offer", token_id, 11 * PRICE, bed.now + DAY, by=bed.bob)
    with market.token.refuses("ERC20InsufficientAllowance"):
        market.marketplace.do("accept", token_id, bed.bob, PRICE, by=bed.alice)
    assert market.owner(token_id) == bed.alice
