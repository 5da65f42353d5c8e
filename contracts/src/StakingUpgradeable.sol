// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";

/// @title Who has staked how much, and what each stake has earned
/// @notice Bookkeeping alone: it moves no token. One index says what a staked unit has earned since the beginning; a
/// stake remembers the index up to which it was credited. So a change of the rate, or of a stake, never reaches back
/// over time that has passed (in the original it did), and no function loops over stakers.
abstract contract StakingUpgradeable is Initializable {
    /// @notice The highest reward rate: 100 % a year. The original paid 8640 % a day, without a bound.
    uint256 public constant MAX_REWARD_RATE = RATE_UNIT / uint256(365 days);

    /// @dev Rates and the index are fractions in units of 1e-18.
    uint256 internal constant RATE_UNIT = 1e18;

    struct Stake {
        uint256 amount;
        uint256 rewards; // credited up to `index`, not yet claimed
        uint256 index;
    }

    /// @custom:storage-location erc7201:sparkle.storage.Staking
    struct StakingStorage {
        uint256 total;
        uint256 rate; // fraction per second
        uint256 index; // at `indexedAt`
        uint256 indexedAt; // seconds
        mapping(address account => Stake) stakes;
    }

    // keccak256(abi.encode(uint256(keccak256("sparkle.storage.Staking")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STAKING_STORAGE = 0xb439079faaa89e5575a8e2bd48535e8d2c5553e855c531812c2449f478be1800;

    event Staked(address indexed user, uint256 amount);
    event Unstaked(address indexed user, uint256 amount);
    event RewardsClaimed(address indexed user, uint256 amount);
    event RewardRateUpdated(uint256 oldRate, uint256 newRate);

    error ZeroAmount();
    error InsufficientStake(uint256 staked, uint256 wanted);
    error RewardRateTooHigh(uint256 rate, uint256 highest);

    // solhint-disable-next-line func-name-mixedcase
    function __Staking_init(uint256 rate) internal onlyInitializing {
        _staking().indexedAt = block.timestamp;
        _setRewardRate(rate);
    }

    /// @notice What all accounts together have staked.
    function totalStaked() public view returns (uint256) {
        return _staking().total;
    }

    /// @notice What `account` has staked.
    function stakedBalance(address account) public view returns (uint256) {
        return _staking().stakes[account].amount;
    }

    /// @notice What a staked unit earns in a second, in units of 1e-18.
    function rewardRate() public view returns (uint256) {
        return _staking().rate;
    }

    /// @notice What `account` has earned and not claimed. Rounded down, in favour of everybody else.
    function pendingRewards(address account) public view returns (uint256) {
        Stake storage stake_ = _staking().stakes[account];
        return stake_.rewards + stake_.amount * (_currentIndex() - stake_.index) / RATE_UNIT;
    }

    function _addStake(address account, uint256 amount) internal {
        require(amount > 0, ZeroAmount());
        Stake storage stake_ = _credit(account);
        stake_.amount += amount;
        _staking().total += amount;
        emit Staked(account, amount);
    }

    function _removeStake(address account, uint256 amount) internal {
        require(amount > 0, ZeroAmount());
        Stake storage stake_ = _credit(account);
        require(stake_.amount >= amount, InsufficientStake(stake_.amount, amount));
        stake_.amount -= amount;
        _staking().total -= amount;
        emit Unstaked(account, amount);
    }

    /// @dev Takes at most `limit` of the rewards of `account`; the rest stays credited.
    function _takeRewards(address account, uint256 limit) internal returns (uint256 taken) {
        Stake storage stake_ = _credit(account);
        taken = stake_.rewards < limit ? stake_.rewards : limit;
        stake_.rewards -= taken;
        emit RewardsClaimed(account, taken);
    }

    /// @dev The time until now is settled at the old rate first.
    function _setRewardRate(uint256 rate) internal {
        require(rate <= MAX_REWARD_RATE, RewardRateTooHigh(rate, MAX_REWARD_RATE));
        StakingStorage storage $ = _staking();
        $.index = _currentIndex();
        $.indexedAt = block.timestamp;
        emit RewardRateUpdated($.rate, rate);
        $.rate = rate;
    }

    function _credit(address account) private returns (Stake storage stake_) {
        stake_ = _staking().stakes[account];
        stake_.rewards = pendingRewards(account);
        stake_.index = _currentIndex();
    }

    function _currentIndex() private view returns (uint256) {
        StakingStorage storage $ = _staking();
        return $.index + (block.timestamp - $.indexedAt) * $.rate;
    }

    function _staking() private pure returns (StakingStorage storage $) {
        assembly {
            $.slot := STAKING_STORAGE
        }
    }
}
