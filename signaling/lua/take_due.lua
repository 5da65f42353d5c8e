-- Take what is due, for a while: other nodes leave it alone meanwhile, and find it again if this one dies over it.
-- KEYS: {calls:K}:due   ARGV: now, due again at, at most
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, id in ipairs(due) do redis.call('ZADD', KEYS[1], ARGV[2], id) end
return due
