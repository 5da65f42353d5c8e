-- Transitions were told. They go, and each goes into the history once, however often this is asked for.
-- KEYS 1 transitions   2 history, a stream of the same part   ARGV 1 how many are kept there   then ids

for i = 2, #ARGV do
  local found = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if found then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], '*', unpack(found[2]))
    redis.call('XDEL', KEYS[1], ARGV[i])
  end
end
