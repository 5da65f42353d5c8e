// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControlUpgradeable} from "@openzeppelin/contracts-upgradeable/access/AccessControlUpgradeable.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ISparkleNFT} from "./ISparkleNFT.sol";

/// @title Trade of Sparkle NFTs for SPARK, at a listed price or by offer
/// @notice Nothing is held here: tokens stay with sellers and SPARK with buyers until both change hands in one
/// transaction. A listing is good only while the token has not left the seller; an offer only until its expiry.
contract SparkleMarketplace is
    PausableUpgradeable,
    AccessControlUpgradeable,
    UUPSUpgradeable,
    ReentrancyGuardTransient
{
    using SafeERC20 for IERC20;

    struct Listing {
        address seller;
        uint64 expiresAt; // seconds; 0: never
        uint32 transfers; // of the token when it was listed
        uint128 price;
    }

    struct Offer {
        uint128 price; // 0: there is none
        uint64 expiresAt; // seconds
    }

    /// @custom:storage-location erc7201:sparkle.storage.Marketplace
    struct MarketplaceStorage {
        ISparkleNFT nft;
        IERC20 token;
        address feeRecipient;
        uint96 fee;
        mapping(uint256 tokenId => Listing) listings;
        mapping(uint256 tokenId => mapping(address buyer => Offer)) offers;
    }

    // keccak256(abi.encode(uint256(keccak256("sparkle.storage.Marketplace")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant MARKETPLACE_STORAGE = 0x0491615a50adc0a641f4dff4d14b9bedfc387f5403585aa64f62ebf7fbf9c500;

    /// @notice May pause.
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    /// @notice The highest fee: 10 %. In basis points, like all shares here.
    uint96 public constant MAX_FEE = 1_000;
    /// @notice The most that goes to a creator, whatever the token says: 10 %. The seller is left with 80 % or more.
    uint256 public constant MAX_ROYALTY = 1_000;

    uint256 private constant BASIS_POINTS = 10_000;

    event Listed(uint256 indexed tokenId, address indexed seller, uint256 price, uint64 expiresAt);
    event PriceUpdated(uint256 indexed tokenId, address indexed seller, uint256 price);
    event Cancelled(uint256 indexed tokenId, address indexed seller);
    event OfferMade(uint256 indexed tokenId, address indexed buyer, uint256 price, uint64 expiresAt);
    event OfferWithdrawn(uint256 indexed tokenId, address indexed buyer);
    event Sold(
        uint256 indexed tokenId,
        address indexed seller,
        address indexed buyer,
        uint256 price,
        uint256 fee,
        uint256 royalty
    );
    event FeeUpdated(uint96 fee, address recipient);

    error NotOwner(uint256 tokenId, address caller);
    error NotSeller(uint256 tokenId, address caller);
    error NotApproved(uint256 tokenId);
    error TokenLocked(uint256 tokenId);
    error NotListed(uint256 tokenId);
    error NoOffer(uint256 tokenId, address buyer);
    error OwnToken(uint256 tokenId);
    error ZeroPrice();
    error ExpiryPassed(uint64 expiresAt);
    error PriceTooHigh(uint256 price, uint256 highest);
    error PriceTooLow(uint256 price, uint256 lowest);
    error FeeTooHigh(uint96 fee, uint96 highest);
    error NoFeeRecipient();

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @notice Gives `admin` all roles, to be handed over. Called by the proxy's constructor.
    function initialize(address admin, ISparkleNFT nft_, IERC20 token_, uint96 fee, address recipient)
        external
        initializer
    {
        __Pausable_init();
        __AccessControl_init();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(OPERATOR_ROLE, admin);
        MarketplaceStorage storage $ = _marketplace();
        $.nft = nft_;
        $.token = token_;
        _setFee(fee, recipient);
    }

    // ------------------------------------------------------------------ listings

    /// @notice Offer one's own token for `price`, until `expiresAt` (0: until cancelled). A listing of it that is
    /// there already, also a former owner's, is replaced. The marketplace must be approved, for this token or for all.
    function list(uint256 tokenId, uint128 price, uint64 expiresAt) external whenNotPaused {
        ISparkleNFT nft_ = nft();
        require(nft_.ownerOf(tokenId) == msg.sender, NotOwner(tokenId, msg.sender));
        require(!nft_.locked(tokenId), TokenLocked(tokenId));
        require(_isApproved(nft_, tokenId, msg.sender), NotApproved(tokenId));
        require(price > 0, ZeroPrice());
        require(expiresAt == 0 || expiresAt > block.timestamp, ExpiryPassed(expiresAt));
        _marketplace().listings[tokenId] = Listing(msg.sender, expiresAt, nft_.transfersOf(tokenId), price);
        emit Listed(tokenId, msg.sender, price, expiresAt);
    }

    /// @notice Change the price of one's own listing. A buyer who saw the old one is protected by `maxPrice`.
    function updatePrice(uint256 tokenId, uint128 price) external whenNotPaused {
        Listing storage listing = _marketplace().listings[tokenId];
        require(listing.seller == msg.sender, NotSeller(tokenId, msg.sender));
        require(price > 0, ZeroPrice());
        listing.price = price;
        emit PriceUpdated(tokenId, msg.sender, price);
    }

    /// @notice Take one's own listing back, also while the marketplace is paused.
    function cancel(uint256 tokenId) external {
        require(_marketplace().listings[tokenId].seller == msg.sender, NotSeller(tokenId, msg.sender));
        delete _marketplace().listings[tokenId];
        emit Cancelled(tokenId, msg.sender);
    }

    /// @notice Buy a listed token for at most `maxPrice`: the price that the buyer saw. In the original the seller
    /// could raise it before the purchase was mined.
    function buy(uint256 tokenId, uint128 maxPrice) external whenNotPaused nonReentrant {
        Listing memory listing = _marketplace().listings[tokenId];
        require(_isGood(tokenId, listing), NotListed(tokenId));
        require(listing.seller != msg.sender, OwnToken(tokenId));
        require(listing.price <= maxPrice, PriceTooHigh(listing.price, maxPrice));
        _settle(tokenId, listing.seller, msg.sender, listing.price);
    }

    // ------------------------------------------------------------------ offers

    /// @notice Offer `price` for a token, to whoever owns it when it is accepted, until `expiresAt`. An earlier offer
    /// of one's own for it is replaced. The SPARK stays with the buyer, who must have approved it by then.
    function offer(uint256 tokenId, uint128 price, uint64 expiresAt) external whenNotPaused {
        ISparkleNFT nft_ = nft();
        require(nft_.ownerOf(tokenId) != msg.sender, OwnToken(tokenId));
        require(!nft_.locked(tokenId), TokenLocked(tokenId));
        require(price > 0, ZeroPrice());
        require(expiresAt > block.timestamp, ExpiryPassed(expiresAt));
        _marketplace().offers[tokenId][msg.sender] = Offer(price, expiresAt);
        emit OfferMade(tokenId, msg.sender, price, expiresAt);
    }

    /// @notice Take one's own offer back, also while the marketplace is paused.
    function withdrawOffer(uint256 tokenId) external {
        require(offers(tokenId, msg.sender).price > 0, NoOffer(tokenId, msg.sender));
        delete _marketplace().offers[tokenId][msg.sender];
        emit OfferWithdrawn(tokenId, msg.sender);
    }

    /// @notice Sell one's own token to `buyer` for what they offer, `minPrice` at least.
    function accept(uint256 tokenId, address buyer, uint128 minPrice) external whenNotPaused nonReentrant {
        require(nft().ownerOf(tokenId) == msg.sender, NotOwner(tokenId, msg.sender));
        require(buyer != msg.sender, OwnToken(tokenId));
        Offer memory offer_ = offers(tokenId, buyer);
        require(offer_.price > 0 && block.timestamp < offer_.expiresAt, NoOffer(tokenId, buyer));
        require(offer_.price >= minPrice, PriceTooLow(offer_.price, minPrice));
        _settle(tokenId, msg.sender, buyer, offer_.price);
    }

    // ------------------------------------------------------------------ operation

    /// @notice Set the fee of later sales, in basis points, and who gets it.
    function setFee(uint96 fee, address recipient) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setFee(fee, recipient);
    }

    /// @notice Stop trade. What is listed and offered stays, and can be taken back.
    function pause() external onlyRole(OPERATOR_ROLE) {
        _pause();
    }

    /// @notice Resume it.
    function unpause() external onlyRole(OPERATOR_ROLE) {
        _unpause();
    }

    // ------------------------------------------------------------------ reads

    /// @notice The tokens that are traded.
    function nft() public view returns (ISparkleNFT) {
        return _marketplace().nft;
    }

    /// @notice What they are paid with.
    function token() public view returns (IERC20) {
        return _marketplace().token;
    }

    /// @notice The platform's share of a sale, in basis points.
    function platformFee() public view returns (uint96) {
        return _marketplace().fee;
    }

    /// @notice Who gets that share.
    function feeRecipient() public view returns (address) {
        return _marketplace().feeRecipient;
    }

    /// @notice The last listing of a token, be it good or not; all zero if there is none.
    function listings(uint256 tokenId) public view returns (Listing memory) {
        return _marketplace().listings[tokenId];
    }

    /// @notice A buyer's last offer for a token, be it expired or not; all zero if there is none.
    function offers(uint256 tokenId, address buyer) public view returns (Offer memory) {
        return _marketplace().offers[tokenId][buyer];
    }

    /// @notice Whether a purchase would go through, given a buyer who can pay.
    function isBuyable(uint256 tokenId) external view returns (bool) {
        Listing memory listing = listings(tokenId);
        ISparkleNFT nft_ = nft();
        return !paused() && _isGood(tokenId, listing) && !nft_.locked(tokenId)
            && _isApproved(nft_, tokenId, listing.seller);
    }

    /// @notice How a price is shared: the rest is the seller's.
    function shares(uint256 tokenId, address seller, uint256 price)
        public
        view
        returns (uint256 fee, uint256 royalty, address creator)
    {
        fee = price * platformFee() / BASIS_POINTS;
        (creator, royalty) = nft().royaltyInfo(tokenId, price);
        uint256 highest = price * MAX_ROYALTY / BASIS_POINTS;
        if (royalty > highest) royalty = highest;
        // A creator who sells has it anyway, and what nobody would get is not to be taken from the seller.
        if (creator == seller || creator == address(0)) royalty = 0;
    }

    // ------------------------------------------------------------------ inside

    /// @dev Everything is written, and said, before the token moves: its receiver may call back, and list it anew.
    function _settle(uint256 tokenId, address seller, address buyer, uint256 price) private {
        MarketplaceStorage storage $ = _marketplace();
        delete $.listings[tokenId];
        delete $.offers[tokenId][buyer];
        (uint256 fee, uint256 royalty, address creator) = shares(tokenId, seller, price);
        emit Sold(tokenId, seller, buyer, price, fee, royalty);
        if (fee > 0) $.token.safeTransferFrom(buyer, $.feeRecipient, fee);
        if (royalty > 0) $.token.safeTransferFrom(buyer, creator, royalty);
        $.token.safeTransferFrom(buyer, seller, price - fee - royalty);
        $.nft.safeTransferFrom(seller, buyer, tokenId);
    }

    /// @dev The number of transfers tells a token that never left from one that came back, for which the old price
    /// means nothing any more.
    function _isGood(uint256 tokenId, Listing memory listing) private view returns (bool) {
        return listing.seller != address(0) && (listing.expiresAt == 0 || block.timestamp < listing.expiresAt)
            && nft().transfersOf(tokenId) == listing.transfers;
    }

    function _isApproved(ISparkleNFT nft_, uint256 tokenId, address owner) private view returns (bool) {
        return nft_.getApproved(tokenId) == address(this) || nft_.isApprovedForAll(owner, address(this));
    }

    function _setFee(uint96 fee, address recipient) private {
        require(fee <= MAX_FEE, FeeTooHigh(fee, MAX_FEE));
        require(fee == 0 || recipient != address(0), NoFeeRecipient());
        _marketplace().fee = fee;
        _marketplace().feeRecipient = recipient;
        emit FeeUpdated(fee, recipient);
    }

    function _authorizeUpgrade(address) internal override onlyRole(DEFAULT_ADMIN_ROLE) {}

    function _marketplace() private pure returns (MarketplaceStorage storage $) {
        assembly {
            $.slot := MARKETPLACE_STORAGE
        }
    }
}
