-- Give back a pair, or a line, unless another call has it by now.
-- KEYS: {pair:A:B} or {busy:USER}   ARGV: callId
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
