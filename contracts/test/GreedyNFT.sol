// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {ERC2981Upgradeable} from "@openzeppelin/contracts-upgradeable/token/common/ERC2981Upgradeable.sol";

import {SparkleNFT} from "../src/SparkleNFT.sol";

/// @title A later version of the NFT that asks for twice the price as its royalty
contract GreedyNFT is SparkleNFT {
    address private _receiver;

    function askFor(address receiver) external {
        _receiver = receiver;
    }

    function royaltyInfo(uint256, uint256 price)
        public
        view
        override(ERC2981Upgradeable, IERC2981)
        returns (address, uint256)
    {
        return (_receiver, 2 * price);
    }
}
