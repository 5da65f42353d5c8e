-- Who has a pair. If nobody has, or the call that may be replaced: a mark of this moment, which whoever claims it finds, and
-- nothing is answered.
-- KEYS: {pair:A:B}   ARGV: mark, its expiry in ms, callId that may be replaced (or '')
local holder = redis.call('GET', KEYS[1])
local is_mark = holder and string.match(holder, '^%l+') == string.match(ARGV[1], '^%l+')
if holder and not is_mark and holder ~= ARGV[3] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
