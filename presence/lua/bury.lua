-- The node of a connection is dead. Answers nil to all but one caller.

if not leave_node() then return nil end
local value = redis.call('HGET', USER, 'c:' .. connection)
if not value or node_and_device(value) ~= node then return nil end -- it has moved to a live node
local before = merged()
remove()
return settle(before, ARGV[1])
