-- Give the pair to a call, unless another call than the one it may replace has it. Answers who has it.
-- KEYS: {pair:A:B}   ARGV: callId, callId that may be replaced (or ''), expiry ms
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[2] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return ARGV[1]
