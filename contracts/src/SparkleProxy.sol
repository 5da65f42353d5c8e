// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";

/// @title The address that people know of an upgradeable contract
/// @notice Deploys and initialises in one transaction: a proxy without its initialising call reverts, so nobody can
/// get in between and become its administrator. Upgrades are the implementation's to allow (UUPS); there is no admin
/// of the proxy itself.
contract SparkleProxy is ERC1967Proxy {
    /// @param implementation the logic to run
    /// @param initialization the encoded call of its `initialize`
    constructor(address implementation, bytes memory initialization) ERC1967Proxy(implementation, initialization) {}
}
