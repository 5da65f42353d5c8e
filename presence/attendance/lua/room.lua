-- What the functions of attendance share; put before each of them.
--
-- KEYS     1 the people of the room: "<node>/<connection> …" by user (HASH)     2 their order of arrival (ZSET)
--          3 of the room: version, told (when its count was), n:<node> = live connections there (HASH)
--          4 lost connections of this part, by the time at which they count no more (ZSET)     5 transitions
--          6 large rooms of this part whose count is to be told, by the time for it (ZSET)
--          7 nodes with connections in this part (SET)     8 such connections of one node (SET)
-- ARGV     1 now   2 room   3 people beyond which it is large   4 user   5 connection   6 node

local PEOPLE, ORDER, ROOM, LOST, TRANSITIONS, COUNTS, NODES, NODE = unpack(KEYS)
local NOW, room, LARGE = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local user, connection, node = ARGV[4], ARGV[5], ARGV[6]

-- Of a part. They go when they were told, within a second.
local KEPT_TRANSITIONS = 10000
local KEEP_EMPTY_S = 3600 -- so that versions go on from where they were, for those who were there and come back
local COUNT_EVERY_MS = 1000

local function member(of)
  return user .. ' ' .. of .. ' ' .. room
end

-- The person's connections but this one, as they are stored, and whether this one is among them.
local function others()
  local found, known = {}, false
  for seat in (redis.call('HGET', PEOPLE, user) or ''):gmatch('%S+') do
    if seat:match('/(.*)$') == connection then known = true else found[#found + 1] = seat end
  end
  return found, known
end

local function add_connections(of, by)
  if redis.call('HINCRBY', ROOM, 'n:' .. of, by) <= 0 then redis.call('HDEL', ROOM, 'n:' .. of) end
end

local function leave_node()
  if redis.call('SREM', NODE, member(connection)) == 0 then return false end
  if redis.call('SCARD', NODE) == 0 then redis.call('SREM', NODES, node) end
  add_connections(node, -1)
  return true
end

-- Versions go on from the time: a Redis that lost its memory starts above what clients hold, who keep the highest.
local function next_version()
  local version = math.max(tonumber(redis.call('HGET', ROOM, 'version') or 0) + 1, NOW)
  redis.call('HSET', ROOM, 'version', string.format('%.0f', version))
  return string.format('%.0f', version)
end

-- In a large room, has the count told: at most once a second. Gives whether the room is large.
local function count_soon()
  if redis.call('ZCARD', ORDER) <= LARGE then return false end
  local told = tonumber(redis.call('HGET', ROOM, 'told') or 0)
  redis.call('ZADD', COUNTS, 'NX', string.format('%.0f', math.max(NOW, told + COUNT_EVERY_MS)), room)
  return true
end

-- The person came or went: gives the id under which that is kept until it was told, '' in a large room, and the version.
local function moved(joined)
  local version = next_version()
  if joined then
    redis.call('ZADD', ORDER, version, user)
    redis.call('PERSIST', ROOM)
  else
    redis.call('ZREM', ORDER, user)
  end
  if redis.call('EXISTS', ORDER) == 0 then redis.call('EXPIRE', ROOM, KEEP_EMPTY_S) end
  if count_soon() then return {'', version} end
  local entry = redis.call('XADD', TRANSITIONS, 'MAXLEN', '~', KEPT_TRANSITIONS, '*', 'room', room, 'user', user,
    'connection', connection, 'joined', joined and '1' or '0', 'version', version)
  return {entry, version}
end

-- The connection goes out of the person's. Gives what moved() does, or nil while there is another.
local function remove()
  local left, known = others()
  if not known then return nil end
  if #left > 0 then
    redis.call('HSET', PEOPLE, user, table.concat(left, ' '))
    return nil
  end
  redis.call('HDEL', PEOPLE, user)
  return moved(false)
end

-- Ends functions that answer connections: {id, version or '', n:<node>, connections, …}
local function counted(move)
  local answer = move or {'', ''}
  local fields = redis.call('HGETALL', ROOM)
  for i = 1, #fields, 2 do
    if fields[i]:sub(1, 2) == 'n:' then
      answer[#answer + 1] = fields[i]:sub(3)
      answer[#answer + 1] = fields[i + 1]
    end
  end
  return answer
end
