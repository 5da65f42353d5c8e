// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControlUpgradeable} from "@openzeppelin/contracts-upgradeable/access/AccessControlUpgradeable.sol";
import {ERC20Upgradeable} from "@openzeppelin/contracts-upgradeable/token/ERC20/ERC20Upgradeable.sol";
import {ERC20PausableUpgradeable} from
    "@openzeppelin/contracts-upgradeable/token/ERC20/extensions/ERC20PausableUpgradeable.sol";
import {ERC20PermitUpgradeable} from
    "@openzeppelin/contracts-upgradeable/token/ERC20/extensions/ERC20PermitUpgradeable.sol";
import {ERC20VotesUpgradeable} from
    "@openzeppelin/contracts-upgradeable/token/ERC20/extensions/ERC20VotesUpgradeable.sol";
import {NoncesUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/NoncesUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";
import {ERC6372Utils} from "@openzeppelin/contracts/utils/ERC6372Utils.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";

import {StakingUpgradeable} from "./StakingUpgradeable.sol";

/// @title SPARK: pays in the marketplace, earns when staked, votes in governance
/// @notice Staked SPARK stays in its owner's balance and cannot be transferred until it is unstaked. So it keeps its
/// vote, and giving it back needs neither a transfer nor a mint that a pause or the cap could refuse; in the original
/// both could trap it.
contract SparkleToken is
    ERC20Upgradeable,
    ERC20PausableUpgradeable,
    ERC20PermitUpgradeable,
    ERC20VotesUpgradeable,
    StakingUpgradeable,
    AccessControlUpgradeable,
    UUPSUpgradeable
{
    /// @notice May mint, up to `MAX_SUPPLY`.
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    /// @notice May set the reward rate: the timelock.
    bytes32 public constant GOVERNANCE_ROLE = keccak256("GOVERNANCE_ROLE");
    /// @notice May stop and resume transfers: somebody who can act faster than a vote.
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");

    /// @notice No more than this ever exists, whoever mints and whatever is claimed.
    uint256 public constant MAX_SUPPLY = 1_000_000_000 ether;

    /// @dev 5 % a year.
    uint256 private constant FIRST_REWARD_RATE = MAX_REWARD_RATE / 20;

    error StakedTokens(address account, uint256 balance, uint256 staked);

    /// @dev The implementation behind the proxy belongs to nobody: in the original a stranger could initialise it.
    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @notice Gives `admin` all roles, to be handed over, and the first `genesis` units. Called by the proxy's
    /// constructor.
    function initialize(address admin, uint256 genesis) external initializer {
        __ERC20_init("Sparkle", "SPARK");
        __ERC20Pausable_init();
        __ERC20Permit_init("Sparkle");
        __ERC20Votes_init();
        __Staking_init(FIRST_REWARD_RATE);
        __AccessControl_init();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(MINTER_ROLE, admin);
        _grantRole(GOVERNANCE_ROLE, admin);
        _grantRole(PAUSER_ROLE, admin);
        _mint(admin, genesis);
    }

    /// @notice Creates `amount` for `to`; reverts beyond `MAX_SUPPLY`.
    function mint(address to, uint256 amount) external onlyRole(MINTER_ROLE) {
        _mint(to, amount);
    }

    /// @notice Lock `amount` more of one's own SPARK, so that it earns.
    function stake(uint256 amount) external whenNotPaused {
        _addStake(msg.sender, amount);
        _requireStakeCovered(msg.sender);
    }

    /// @notice Unlock `amount`. Works at any time, also while everything else is paused.
    function unstake(uint256 amount) external {
        _removeStake(msg.sender, amount);
    }

    /// @notice Mint to oneself what one has earned. Near `MAX_SUPPLY` one gets what there is room for and keeps the
    /// claim to the rest.
    function claimRewards() external returns (uint256 claimed) {
        claimed = _takeRewards(msg.sender, MAX_SUPPLY - totalSupply());
        _mint(msg.sender, claimed);
    }

    /// @notice From now on a staked unit earns `newRate` a second, in units of 1e-18; the time before is untouched.
    function updateRewardRate(uint256 newRate) external onlyRole(GOVERNANCE_ROLE) {
        _setRewardRate(newRate);
    }

    /// @notice Stop transfers, minting, staking and claims.
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    /// @notice Resume them.
    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    /// @notice The clock of votes: seconds. Blocks come when they like, and on some chains not while nothing happens.
    function clock() public view override returns (uint48) {
        return Time.timestamp();
    }

    /// @notice What `clock` counts, as ERC-6372 wants it.
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public view override returns (string memory) {
        return ERC6372Utils.timestampClockMode(clock);
    }

    /// @notice The next nonce of `owner`, for permits and for delegations by signature.
    function nonces(address owner) public view override(ERC20PermitUpgradeable, NoncesUpgradeable) returns (uint256) {
        return super.nonces(owner);
    }

    function _update(address from, address to, uint256 value)
        internal
        override(ERC20Upgradeable, ERC20PausableUpgradeable, ERC20VotesUpgradeable)
    {
        super._update(from, to, value);
        if (from != address(0)) _requireStakeCovered(from);
    }

    function _requireStakeCovered(address account) private view {
        uint256 balance = balanceOf(account);
        uint256 staked = stakedBalance(account);
        require(balance >= staked, StakedTokens(account, balance, staked));
    }

    /// @dev Enforced by ERC20Votes at each mint. The original declared the limit and never looked at it.
    function _maxSupply() internal pure override returns (uint256) {
        return MAX_SUPPLY;
    }

    function _authorizeUpgrade(address) internal override onlyRole(DEFAULT_ADMIN_ROLE) {}
}
