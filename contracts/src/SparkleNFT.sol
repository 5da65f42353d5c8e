// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControlUpgradeable} from "@openzeppelin/contracts-upgradeable/access/AccessControlUpgradeable.sol";
import {ERC2981Upgradeable} from "@openzeppelin/contracts-upgradeable/token/common/ERC2981Upgradeable.sol";
import {ERC721Upgradeable} from "@openzeppelin/contracts-upgradeable/token/ERC721/ERC721Upgradeable.sol";
import {ERC721URIStorageUpgradeable} from
    "@openzeppelin/contracts-upgradeable/token/ERC721/extensions/ERC721URIStorageUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";
import {ERC721Utils} from "@openzeppelin/contracts/token/ERC721/utils/ERC721Utils.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {IERC5192} from "./IERC5192.sol";
import {ISparkleNFT} from "./ISparkleNFT.sol";

/// @title Posts and collectibles as tokens: ERC-721 with royalties (2981), metadata (4906) and soulbound ones (5192)
/// @notice Only the hub mints, and one content at most once, also after its token was burned.
contract SparkleNFT is
    ERC721URIStorageUpgradeable,
    ERC2981Upgradeable,
    ISparkleNFT,
    AccessControlUpgradeable,
    UUPSUpgradeable
{
    enum ContentType {
        POST,
        ARTWORK,
        ACHIEVEMENT,
        COLLECTIBLE
    }

    /// @dev All but the hash fit into one slot, which each transfer writes.
    struct Info {
        address creator;
        uint48 createdAt; // seconds
        uint32 transfers;
        ContentType contentType;
        bool locked;
        bytes32 contentHash;
    }

    /// @custom:storage-location erc7201:sparkle.storage.NFT
    struct NFTStorage {
        uint256 lastTokenId;
        mapping(uint256 tokenId => Info) infos;
        mapping(bytes32 contentHash => uint256) tokens;
    }

    // keccak256(abi.encode(uint256(keccak256("sparkle.storage.NFT")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant NFT_STORAGE = 0x94d1cf966586dad041c55097bb971c8ce2cda8078be1ff66856def5e84485000;

    /// @notice May mint: the hub's key.
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    /// @notice The highest royalty: 10 %, in basis points.
    uint96 public constant MAX_ROYALTY = 1_000;

    event NFTMinted(
        uint256 indexed tokenId, address indexed creator, address indexed owner, ContentType contentType
    );

    error AlreadyMinted(bytes32 contentHash, uint256 tokenId);
    error RoyaltyTooHigh(uint96 royalty, uint96 highest);
    error NoCreator();
    error NotOwner(uint256 tokenId, address caller);
    error Soulbound(uint256 tokenId);

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @notice Gives `admin` all roles, to be handed over. Called by the proxy's constructor.
    function initialize(address admin) external initializer {
        __ERC721_init("Sparkle NFT", "SNFT");
        __ERC721URIStorage_init();
        __ERC2981_init();
        __AccessControl_init();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(MINTER_ROLE, admin);
    }

    /// @notice Mint the next token; their numbers begin with 1.
    /// @param to who gets it; a contract must accept it (ERC-721 receiver)
    /// @param creator the author, who also gets the royalties. In the original both were `to`.
    /// @param uri of the metadata; never changes
    /// @param royaltyBps of each sale, in basis points, `MAX_ROYALTY` at most
    /// @param soulbound whether it stays with `to` for ever: the issuer's choice, made here
    /// @param contentHash what it is a token of; a second mint of the same reverts. Zero: of nothing in particular.
    function mintNFT(
        address to,
        address creator,
        string calldata uri,
        ContentType contentType,
        uint96 royaltyBps,
        bool soulbound,
        bytes32 contentHash
    ) external onlyRole(MINTER_ROLE) returns (uint256 tokenId) {
        NFTStorage storage $ = _nft();
        require(creator != address(0), NoCreator());
        require(royaltyBps <= MAX_ROYALTY, RoyaltyTooHigh(royaltyBps, MAX_ROYALTY));
        require(contentHash == 0 || $.tokens[contentHash] == 0, AlreadyMinted(contentHash, $.tokens[contentHash]));

        tokenId = ++$.lastTokenId;
        if (contentHash != 0) $.tokens[contentHash] = tokenId;
        $.infos[tokenId] = Info(creator, uint48(block.timestamp), 0, contentType, soulbound, contentHash);
        if (royaltyBps > 0) _setTokenRoyalty(tokenId, creator, royaltyBps);
        _mint(to, tokenId);
        _setTokenURI(tokenId, uri);
        if (soulbound) emit Locked(tokenId);
        emit NFTMinted(tokenId, creator, to, contentType);

        // Last, since a receiver may do anything with its token in here. In the original this came before the state
        // was written, which then undid what the receiver had done.
        ERC721Utils.checkOnERC721Received(msg.sender, address(0), to, tokenId, "");
    }

    /// @notice Bind one's own token to oneself, for ever. Nobody can do it to somebody else's.
    /// @dev The approval goes too, so that no marketplace goes on offering it.
    function lockToken(uint256 tokenId) external {
        require(_requireOwned(tokenId) == msg.sender, NotOwner(tokenId, msg.sender));
        Info storage info_ = _nft().infos[tokenId];
        if (info_.locked) return;
        info_.locked = true;
        _approve(address(0), tokenId, address(0));
        emit Locked(tokenId);
    }

    /// @notice Destroy a token, also a soulbound one: for its owner and those whom the owner approved.
    function burn(uint256 tokenId) external {
        _update(address(0), tokenId, msg.sender);
        _resetTokenRoyalty(tokenId);
    }

    /// @inheritdoc IERC5192
    function locked(uint256 tokenId) external view returns (bool) {
        _requireOwned(tokenId);
        return _nft().infos[tokenId].locked;
    }

    /// @inheritdoc ISparkleNFT
    function transfersOf(uint256 tokenId) external view returns (uint32) {
        return _nft().infos[tokenId].transfers;
    }

    /// @notice What was said at the mint; all zero for a token that never was.
    function info(uint256 tokenId) external view returns (Info memory) {
        return _nft().infos[tokenId];
    }

    /// @notice The token of a content, 0 if it was never minted. Stays when the token is burned.
    function tokenOfContent(bytes32 contentHash) external view returns (uint256) {
        return _nft().tokens[contentHash];
    }

    /// @notice How many tokens were ever minted: the number of the last one.
    function totalMinted() external view returns (uint256) {
        return _nft().lastTokenId;
    }

    /// @notice ERC-165; unlike in the original it names royalties, metadata updates and soulbound tokens.
    function supportsInterface(bytes4 interfaceId)
        public
        view
        override(ERC721URIStorageUpgradeable, ERC2981Upgradeable, AccessControlUpgradeable, IERC165)
        returns (bool)
    {
        return interfaceId == type(IERC5192).interfaceId || super.supportsInterface(interfaceId);
    }

    /// @dev Every mint, transfer and burn comes through here, each token by itself.
    function _update(address to, uint256 tokenId, address auth) internal override returns (address from) {
        from = super._update(to, tokenId, auth);
        Info storage info_ = _nft().infos[tokenId];
        require(from == address(0) || to == address(0) || !info_.locked, Soulbound(tokenId));
        info_.transfers++;
    }

    function _authorizeUpgrade(address) internal override onlyRole(DEFAULT_ADMIN_ROLE) {}

    function _nft() private pure returns (NFTStorage storage $) {
        assembly {
            $.slot := NFT_STORAGE
        }
    }
}
