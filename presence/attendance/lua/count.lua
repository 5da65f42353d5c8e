-- The count of a large room is to be told. Answers {people, version, entry} to one caller a second, nil to the others.

local due = redis.call('ZSCORE', COUNTS, room)
if not due or tonumber(due) > NOW then return nil end
redis.call('ZREM', COUNTS, room)
redis.call('HSET', ROOM, 'told', string.format('%.0f', NOW))
local entry = redis.call('XADD', TRANSITIONS, 'MAXLEN', '~', KEPT_TRANSITIONS, '*', 'room', room)
return {redis.call('ZCARD', ORDER), redis.call('HGET', ROOM, 'version'), entry}
