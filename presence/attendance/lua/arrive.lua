-- A connection came into a room, or is still in it. ARGV  7 whether nobody is to be told

local seats = others()
local was_there = redis.call('HEXISTS', PEOPLE, user) == 1
if redis.call('SADD', NODE, member(connection)) == 1 then
  redis.call('SADD', NODES, node)
  add_connections(node, 1)
  count_soon() -- for this connection: it may be back, and has missed what was told meanwhile
end
redis.call('ZREM', LOST, member(connection))
-- The person is back: lost connections need no hold. One that flaps keeps one seat, not one a flap.
local kept = {}
for _, seat in ipairs(seats) do
  if redis.call('ZREM', LOST, member(seat:match('/(.*)$'))) == 0 then kept[#kept + 1] = seat end
end
kept[#kept + 1] = node .. '/' .. connection
redis.call('HSET', PEOPLE, user, table.concat(kept, ' '))
if was_there then return counted(nil) end
if ARGV[7] == '1' then
  redis.call('ZADD', ORDER, next_version(), user)
  redis.call('PERSIST', ROOM)
  return counted(nil)
end
return counted(moved(true))
