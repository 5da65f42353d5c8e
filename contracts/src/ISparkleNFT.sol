// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

import {IERC5192} from "./IERC5192.sol";

/// @title What the marketplace needs of the tokens it trades
/// @dev The order of the bases is the one that OpenZeppelin's contracts have them in.
interface ISparkleNFT is IERC2981, IERC721, IERC5192 {
    /// @notice How often the token has changed hands, its mint included. Whoever remembers the number can tell later
    /// that the token has been with its owner without a break.
    function transfersOf(uint256 tokenId) external view returns (uint32);
}
