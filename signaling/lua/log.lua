-- The changes of a call after a version: those for all, and those for one leg.
-- KEYS: {calls:K}:ID   ARGV: version, user
local since = '(' .. ARGV[1] .. '-0'
return {
  redis.call('XRANGE', KEYS[1] .. ':events', since, '+'),
  redis.call('XRANGE', KEYS[1] .. ':to:' .. ARGV[2], since, '+'),
}
