-- The hold of a lost connection is over. Answers nil to all but one caller, and while the person has another.

local until_ms = redis.call('ZSCORE', LOST, member(connection))
if not until_ms or tonumber(until_ms) > NOW then return nil end -- taken by another sweeper, or back again
redis.call('ZREM', LOST, member(connection))
return remove()
