-- A connection was lost. It counts until expire.lua takes it, or ends without a word when its device comes back.

leave_node()
local value = redis.call('HGET', USER, 'c:' .. connection)
-- Only the node that has it may give it up: this may be a zombie, late by minutes, and the connection long elsewhere.
if value and node_and_device(value) == node then
  redis.call('ZADD', LOST, 'NX', ARGV[1], member)
end
