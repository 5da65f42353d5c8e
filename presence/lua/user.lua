-- What the functions of presence share; put before each of them.
--
-- KEYS     1 the user        2 lost connections of this part, by the time of the loss (ZSET)
--          3 transitions     4 nodes with connections in this part (SET)      5 such connections of one node (SET)
-- ARGV     1 now   2 user   3 connection   4 node   then what each function says
-- The user's hash:  c:<connection> = "<node> <device>"      d:<device> = "<status> <since>"      text
--                   version, seen: of the user's own view   shown_version, shown_seen: of the view of others

local USER, LOST, TRANSITIONS, NODES, NODE = unpack(KEYS)
local NOW, user, connection, node = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local member = user .. ' ' .. connection

local OFFLINE, INVISIBLE = '0', '5'
-- Of a part. They go when they were told, within a second, so there are as many only after a node with 100 000 users died.
local KEPT_TRANSITIONS = 10000
local KEEP_OFFLINE_S = 90 * 86400 -- then "last seen" is forgotten, and the memory of users who left is bounded

local changed = false

-- Calls fn(name, value) for each field of the user's hash that begins with the two characters of kind.
local function each(kind, fn)
  local fields = redis.call('HGETALL', USER)
  for i = 1, #fields, 2 do
    if fields[i]:sub(1, 2) == kind then fn(fields[i]:sub(3), fields[i + 1]) end
  end
end

local function node_and_device(value)
  return value:match('^(%S+) (.*)$')
end

-- The merged status (model.merge): the strongest of any device. Statuses are single digits, so they compare as strings.
local function merged()
  local status = OFFLINE
  each('d:', function(_, value) if value:sub(1, 1) > status then status = value:sub(1, 1) end end)
  return status
end

local function drop_if_unused(device)
  local used = false
  each('c:', function(_, value)
    local _, its_device = node_and_device(value)
    used = used or its_device == device
  end)
  if not used and redis.call('HDEL', USER, 'd:' .. device) == 1 then changed = true end
end

-- The connection belongs to the node and the device. A device that is new has this status.
local function register(device, status)
  local was = redis.call('HGET', USER, 'c:' .. connection)
  redis.call('HSET', USER, 'c:' .. connection, node .. ' ' .. device)
  redis.call('SADD', NODE, member)
  redis.call('SADD', NODES, node)
  redis.call('ZREM', LOST, member)
  redis.call('PERSIST', USER)
  if redis.call('HSETNX', USER, 'd:' .. device, status .. ' ' .. ARGV[1]) == 1 then changed = true end
  if was then
    local _, old_device = node_and_device(was)
    if old_device ~= device then drop_if_unused(old_device) end
  end
  -- This device is back, so its lost connections need no hold: one that flaps keeps one entry, not one a flap.
  each('c:', function(other, value)
    local _, its_device = node_and_device(value)
    if its_device == device and redis.call('ZREM', LOST, user .. ' ' .. other) == 1 then
      redis.call('HDEL', USER, 'c:' .. other)
    end
  end)
end

local function leave_node()
  local was_there = redis.call('SREM', NODE, member) == 1
  if redis.call('SCARD', NODE) == 0 then redis.call('SREM', NODES, node) end
  return was_there
end

local function remove()
  local value = redis.call('HGET', USER, 'c:' .. connection)
  if not value then return end
  redis.call('HDEL', USER, 'c:' .. connection)
  local _, device = node_and_device(value)
  local state = redis.call('HGET', USER, 'd:' .. device)
  drop_if_unused(device)
  -- Closing the laptop that said "invisible" must not unveil the phone: the other devices take it over. Without this a
  -- node's death would also flash an invisible user's other devices, while they are removed one by one.
  if changed and state:sub(1, 1) == INVISIBLE then
    each('d:', function(other, _) redis.call('HSET', USER, 'd:' .. other, INVISIBLE .. ' ' .. ARGV[1]) end)
  end
end

-- Versions go on from the time: a Redis that lost its memory starts above what clients hold, who keep the highest.
local function raise(view, seen)
  local version = math.max(tonumber(redis.call('HGET', USER, view .. 'version') or 0) + 1, NOW)
  redis.call('HSET', USER, view .. 'version', string.format('%.0f', version), view .. 'seen', seen)
end

local function hidden(status)
  return status == OFFLINE or status == INVISIBLE
end

-- Ends each function that changes a user: records the transition if there was one, and answers
-- {own view changed, view of others changed, hash, id of the transition}, packed as in read.lua.
local function settle(before, seen)
  local after = merged()
  local shown = changed and not (hidden(before) and hidden(after))
  if changed then
    raise('', seen)
    if after == OFFLINE then
      redis.call('HDEL', USER, 'text')
      redis.call('EXPIRE', USER, KEEP_OFFLINE_S)
    end
  end
  if shown then raise('shown_', seen) end
  local entry = ''
  if changed then
    -- The node that made the change may die before it told anybody: then another finds it here, see presence/relay.py.
    -- shown: the version of the view of others, 0 where that is the same as before.
    entry = redis.call('XADD', TRANSITIONS, 'MAXLEN', '~', KEPT_TRANSITIONS, '*', 'user', user, 'status', after,
      'version', redis.call('HGET', USER, 'version'),
      'shown', shown and redis.call('HGET', USER, 'shown_version') or '0', 'at', seen)
  end
  return cmsgpack.pack({ changed, shown, redis.call('HGETALL', USER), entry })
end
