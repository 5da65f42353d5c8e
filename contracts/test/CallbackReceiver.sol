// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

/// @title Owns tokens and does as a test tells it, also in the middle of receiving one
contract CallbackReceiver is IERC721Receiver {
    address private _target;
    bytes private _call;

    event CalledBack(bool succeeded, bytes result);

    /// @notice Call `target` with `data` now.
    function act(address target, bytes calldata data) external {
        (bool succeeded, bytes memory result) = target.call(data);
        if (!succeeded) {
            assembly {
                revert(add(result, 0x20), mload(result))
            }
        }
    }

    /// @notice Make that call when the next token comes.
    function actOnReceipt(address target, bytes calldata data) external {
        (_target, _call) = (target, data);
    }

    function onERC721Received(address, address, uint256, bytes calldata) external returns (bytes4) {
        if (_target != address(0)) {
            (bool succeeded, bytes memory result) = _target.call(_call);
            emit CalledBack(succeeded, result);
        }
        return IERC721Receiver.onERC721Received.selector;
    }
}
