-- The oldest of what is owed. redis-py turns the reply of a bare XRANGE into something else.
-- KEYS: {calls:K}:owed   ARGV: at most
return redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])
