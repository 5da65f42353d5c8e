"""The marketplace: who is paid what, which listings are good, what hostile people can and cannot do."""

import pytest

from tests.contracts.testbed import DAY, NOBODY, SPARK, Market, Testbed

PRICE = 1000


@pytest.fixture
def rich(market: Market) -> Market:
    """Bob has 1 000 000 SPARK for the marketplace."""
    market.fund(market.bed.bob, 1_000_000)
    return market


def ask_twice_the_price(market: Market, *, receiver: str) -> None:
    greedy = market.bed.deploy("GreedyNFT")
    market.nft.do("upgradeToAndCall", greedy.address, greedy.data("askFor", receiver), by=market.bed.admin)
    assert market.nft.read("royaltyInfo", 1, PRICE) == [receiver, 2 * PRICE]


def test_a_sale_pays_seller_platform_and_creator(rich: Market, bed: Testbed) -> None:
    token_id = rich.listed(bed.alice, PRICE, royalty=1000)
    sold = rich.marketplace.do("buy", token_id, PRICE, by=bed.bob)
    assert rich.owner(token_id) == bed.bob
    assert [rich.balance(who) for who in (bed.treasury, bed.author, bed.alice)] == [25, 100, 875]
    parties = {"tokenId": token_id, "seller": bed.alice, "buyer": bed.bob}
    assert sold.event("Sold") == parties | {"price": PRICE, "fee": 25, "royalty": 100}
    assert rich.marketplace.read("listings", token_id)[0] == NOBODY
    with rich.marketplace.refuses("NotListed"):
        rich.marketplace.do("buy", token_id, PRICE, by=bed.carol)


def test_a_buyer_pays_no_more_than_the_price_they_saw(rich: Market, bed: Testbed) -> None:
    token_id = rich.listed(bed.alice, 1)
    rich.marketplace.do("updatePrice", token_id, 500_000, by=bed.alice)
    with rich.marketplace.refuses("PriceTooHigh"):
        rich.marketplace.do("buy", token_id, 1, by=bed.bob)
    assert rich.balance(bed.bob) == 1_000_000


def test_a_listing_does_not_revive_when_its_token_has_left_and_come_back(rich: Market, bed: Testbed) -> None:
    token_id = rich.listed(bed.alice, 1)
    rich.nft.do("setApprovalForAll", rich.marketplace.address, True, by=bed.alice)
    rich.nft.do("transferFrom", bed.alice, bed.carol, token_id, by=bed.alice)
    with rich.marketplace.refuses("NotListed"):
        rich.marketplace.do("buy", token_id, 1, by=bed.bob)
    rich.nft.do("transferFrom", bed.carol, bed.alice, token_id, by=bed.carol)
    assert not rich.marketplace.read("isBuyable", token_id)
    with rich.marketplace.refuses("NotListed"):
        rich.marketplace.do("buy", token_id, 1, by=bed.bob)
    rich.marketplace.do("list", token_id, 2, 0, by=bed.alice)
    rich.marketplace.do("buy", token_id, 2, by=bed.bob)


def test_a_listing_ends_with_its_token(rich: Market, bed: Testbed) -> None:
    token_id = rich.listed(bed.alice, PRICE)
    rich.nft.do("burn", token_id, by=bed.alice)
    assert not rich.marketplace.read("isBuyable", token_id)
    with rich.marketplace.refuses("NotListed"):
        rich.marketplace.do("buy", token_id, PRICE, by=bed.bob)


def test_a_new_owner_replaces_the_listing_of_the_former_one(rich: Market, bed: Testbed) -> None:
    token_id = rich.listed(bed.alice, 1)
    rich.nft.do("transferFrom", bed.alice, bed.carol, token_id, by=bed.alice)
    rich.nft.do("setApprovalForAll", rich.marketplace.address, True, by=bed.carol)
    rich.marketplace.do("list", token_id, PRICE, 0, by=bed.carol)
    for function, arguments in (("cancel", ()), ("updatePrice", (1,))):
        with rich.marketplace.refuses("NotSeller"):
            rich.marketplace.do(function, token_id, *arguments, by=bed.alice)
    rich.marketplace.do("buy", token_id, PRICE, by=bed.bob)


def test_an_approval_for_all_tokens_is_enough_and_none_is_not(market: Market, bed: Testbed) -> None:
    token_id = market.mint(bed.alice)
    with market.marketplace.refuses("NotApproved"):
        market.marketplace.do("list", token_id, PRICE, 0, by=bed.alice)
    market.nft.do("setApprovalForAll", market.marketplace.address, True, by=bed.alice)
    market.marketplace.do("list", token_id, PRICE, 0, by=bed.alice)
    assert market.marketplace.read("isBuyable", token_id)
    market.nft.do("setApprovalForAll", market.marketplace.address, False, by=bed.alice)
    assert not market.marketplace.read("isBuyable", token_id)


def test_a_locked_token_is_neither_listed_nor_bought_nor_asked_for(rich: Market, bed: Testbed) -> None:
    bound = rich.mint(bed.alice, soulbound=True)
    rich.nft.do("setApprovalForAll", rich.marketplace.address, True, by=bed.alice)
    with rich.marketplace.refuses("TokenLocked"):
        rich.marketplace.do("list", bound, PRICE, 0, by=bed.alice)
    with rich.marketplace.refuses("TokenLocked"):
        rich.marketplace.do("offer", bound, PRICE, bed.now + DAY, by=bed.bob)
    later = rich.listed(bed.alice, PRICE)
    rich.nft.do("lockToken", later, by=bed.alice)
    assert not rich.marketplace.read("isBuyable", later)
    with rich.nft.refuses("Soulbound"):
        rich.marketplace.do("buy", later, PRICE, by=bed.bob)


def test_strangers_list_nothing_and_nobody_buys_from_themselves(rich: Market, bed: Testbed) -> None:
    token_id = rich.listed(bed.alice, PRICE)
    with rich.marketplace.refuses("NotOwner"):
        rich.marketplace.do("list", token_id, 1, 0, by=bed.bob)
    with rich.marketplace.refuses("OwnToken"):
        rich.marketplace.do("buy", token_id, PRICE, by=bed.alice)


def test_listings_can_be_cancelled_changed_and_limited_in_time(rich: Market, bed: Testbed) -> None:
    cancelled = rich.listed(bed.alice, PRICE)
    with rich.marketplace.refuses("NotSeller"):
        rich.marketplace.do("cancel", cancelled, by=bed.bob)
    assert rich.marketplace.do("cancel", cancelled, by=bed.alice).event("Cancelled")["tokenId"] == cancelled
    with rich.marketplace.refuses("NotListed"):
        rich.marketplace.do("buy", cancelled, PRICE, by=bed.bob)

    changed = rich.listed(bed.alice, PRICE)
    rich.marketplace.do("updatePrice", changed, 7, by=bed.alice)
    rich.marketplace.do("buy", changed, 7, by=bed.bob)

    expired = rich.listed(bed.alice, PRICE, expires_at=bed.now + DAY)
    bed.pass_time(DAY)
    assert not rich.marketplace.read("isBuyable", expired)
    with rich.marketplace.refuses("NotListed"):
        rich.marketplace.do("buy", expired, PRICE, by=bed.bob)


def test_prices_of_nothing_and_times_in_the_past_are_refused(market: Market, bed: Testbed) -> None:
    token_id = market.listed(bed.alice, PRICE)
    with market.marketplace.refuses("ZeroPrice"):
        market.marketplace.do("list", token_id, 0, 0, by=bed.alice)
    with market.marketplace.refuses("ZeroPrice"):
        market.marketplace.do("updatePrice", token_id, 0, by=bed.alice)
    with market.marketplace.refuses("ExpiryPassed"):
        market.marketplace.do("list", token_id, PRICE, bed.now, by=bed.alice)


def test_the_fee_is_bounded_and_has_a_recipient(market: Market, bed: Testbed) -> None:
    market.marketplace.do("setFee", 1000, bed.carol, by=bed.admin)
    with market.marketplace.refuses("FeeTooHigh"):
        market.marketplace.do("setFee", 1001, bed.carol, by=bed.admin)
    with market.marketplace.refuses("NoFeeRecipient"):
        market.marketplace.do("setFee", 1, NOBODY, by=bed.admin)
    with market.marketplace.refuses("AccessControlUnauthorizedAccount"):
        market.marketplace.do("setFee", 0, bed.alice, by=bed.alice)
    assert (market.marketplace.read("platformFee"), market.marketplace.read("feeRecipient")) == (1000, bed.carol)


def test_without_a_fee_nobody_needs_to_get_it(rich: Market, bed: Testbed) -> None:
    rich.marketplace.do("setFee", 0, NOBODY, by=bed.admin)
    rich.marketplace.do("buy", rich.listed(bed.alice, PRICE), PRICE, by=bed.bob)
    assert rich.balance(bed.alice) == PRICE


def test_highest_fee_and_royalty_leave_the_seller_four_fifths_whatever_the_token_asks_for(
    rich: Market, bed: Testbed
) -> None:
    rich.marketplace.do("setFee", 1000, bed.treasury, by=bed.admin)
    ask_twice_the_price(rich, receiver=bed.author)
    rich.marketplace.do("buy", rich.listed(bed.alice, PRICE), PRICE, by=bed.bob)
    assert (rich.balance(bed.alice), rich.balance(bed.author)) == (800, 100)


def test_no_royalty_is_taken_that_nobody_gets(rich: Market, bed: Testbed) -> None:
    ask_twice_the_price(rich, receiver=NOBODY)
    rich.marketplace.do("buy", rich.listed(bed.alice, PRICE), PRICE, by=bed.bob)
    assert rich.balance(bed.alice) == 975


def test_creators_who_sell_get_their_royalty_as_part_of_the_price(rich: Market, bed: Testbed) -> None:
    own = rich.listed(bed.author, PRICE, royalty=1000)
    rich.marketplace.do("buy", own, PRICE, by=bed.bob)
    assert rich.balance(bed.author) == 975


def test_a_buyer_who_lists_the_token_again_while_receiving_it_has_it_listed(rich: Market, bed: Testbed) -> None:
    token_id = rich.listed(bed.alice, PRICE)
    buyer = bed.deploy("CallbackReceiver")
    rich.token.do("transfer", buyer.address, PRICE, by=bed.admin)
    for target, call in (
        (rich.token, rich.token.data("approve", rich.marketplace.address, PRICE)),
        (rich.nft, rich.nft.data("setApprovalForAll", rich.marketplace.address, True)),
    ):
        buyer.do("act", target.address, call, by=bed.admin)
    again = rich.marketplace.data("list", token_id, 5 * PRICE, 0)
    buyer.do("actOnReceipt", rich.marketplace.address, again, by=bed.admin)
    purchase = rich.marketplace.data("buy", token_id, PRICE)
    buyer.do("act", rich.marketplace.address, purchase, by=bed.admin)
    assert rich.marketplace.read("listings", token_id)[0] == buyer.address
    rich.marketplace.do("buy", token_id, 5 * PRICE, by=bed.bob)


def test_a_buyer_cannot_buy_another_token_while_receiving_one(rich: Market, bed: Testbed) -> None:
    first, second = rich.listed(bed.alice, PRICE), rich.listed(bed.alice, PRICE)
    buyer = bed.deploy("CallbackReceiver")
    rich.token.do("transfer", buyer.address, 2 * PRICE, by=bed.admin)
    approval = rich.token.data("approve", rich.marketplace.address, 2 * PRICE)
    buyer.do("act", rich.token.address, approval, by=bed.admin)
    buyer.do("actOnReceipt", rich.marketplace.address, rich.marketplace.data("buy", second, PRICE), by=bed.admin)
    buyer.do("act", rich.marketplace.address, rich.marketplace.data("buy", first, PRICE), by=bed.admin)
    assert (rich.owner(first), rich.owner(second)) == (buyer.address, bed.alice)


def test_a_listing_costs_the_same_however_many_there_are(market: Market, bed: Testbed) -> None:
    market.nft.do("setApprovalForAll", market.marketplace.address, True, by=bed.alice)
    tokens = [market.mint(bed.alice) for _ in range(6)]
    costs = {market.marketplace.do("list", token_id, PRICE, 0, by=bed.alice).gas for token_id in tokens}
    assert len(costs) == 1


def test_operators_pause_trade_and_what_is_listed_can_be_taken_back(rich: Market, bed: Testbed) -> None:
    marketplace = rich.marketplace
    listed, other = rich.listed(bed.alice, PRICE), rich.listed(bed.alice, PRICE)
    marketplace.do("offer", listed, PRICE, bed.now + DAY, by=bed.bob)
    with marketplace.refuses("AccessControlUnauthorizedAccount"):
        marketplace.do("pause", by=bed.alice)
    marketplace.do("pause", by=bed.admin)
    assert not marketplace.read("isBuyable", other)
    for function, arguments, who in (
        ("list", (other, PRICE, 0), bed.alice),
        ("updatePrice", (other, 1), bed.alice),
        ("buy", (other, PRICE), bed.bob),
        ("offer", (other, PRICE, bed.now + DAY), bed.bob),
        ("accept", (listed, bed.bob, PRICE), bed.alice),
    ):
        with marketplace.refuses("EnforcedPause"):
            marketplace.do(function, *arguments, by=who)
    marketplace.do("cancel", listed, by=bed.alice)
    marketplace.do("withdrawOffer", listed, by=bed.bob)
    marketplace.do("unpause", by=bed.admin)
    marketplace.do("buy", other, PRICE, by=bed.bob)


def test_staked_tokens_do_not_pay(rich: Market, bed: Testbed) -> None:
    token_id = rich.listed(bed.alice, PRICE)
    rich.token.do("stake", rich.balance(bed.bob), by=bed.bob)
    with rich.token.refuses("StakedTokens"):
        rich.marketplace.do("buy", token_id, PRICE, by=bed.bob)


def test_prices_as_high_as_the_supply_are_shared_without_overflow(market: Market, bed: Testbed) -> None:
    supply = 1_000_000_000 * SPARK
    assert market.marketplace.read("shares", 1, bed.alice, supply)[0] == supply * 25 // 1000
