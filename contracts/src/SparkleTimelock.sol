// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title The owner of the other contracts: what governance decided happens here, and not before its delay is over
/// @notice Holds the administrator roles of token, NFT and marketplace, so that nobody changes a fee, a rate or the
/// code without a vote and a notice. In the original one externally owned account held every role.
contract SparkleTimelock is TimelockController {
    /// @param minDelay seconds between a decision and its execution
    /// @param proposers none at first: the governor gets the role once it exists
    /// @param executors the zero address for everybody; what was decided and is due may be executed by anyone
    /// @param admin hands out the roles during deployment and renounces its own right afterwards
    constructor(uint256 minDelay, address[] memory proposers, address[] memory executors, address admin)
        TimelockController(minDelay, proposers, executors, admin)
    {}
}
