-- The hold of a lost connection is over. ARGV  5 losses up to this time count. Answers nil to all but one caller.

local lost = redis.call('ZSCORE', LOST, member)
if not lost or tonumber(lost) > tonumber(ARGV[5]) then return nil end -- taken by another sweeper, or back again
redis.call('ZREM', LOST, member)
local before = merged()
remove()
return settle(before, lost)
