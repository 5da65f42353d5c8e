-- What the functions of presence share; put before each of them, and each.lua behind. The rules are those of
-- presence/model.py. One call changes many connections, one after the other, whose users are all of one part.
--
-- KEYS     1 held: lost connections of this part, by the end of their hold (ZSET)
--          2 texts: users of this part whose text ends, by when (ZSET)       3 transitions (stream)
--          4 online: how many users of this part are there (number)
--          5 nodes with connections in this part (SET)      6 such connections of one node (SET)
--          from 7 on the state of the user of each
-- ARGV     1 now   2 node, '' where none is concerned   3 how many words there are for each   then their words:
--          1 user  2 connection, '' where none is concerned   and what each function says
--
-- The state is one MessagePack array, which one GET reads. Its numbered fields, and those of its devices and of their
-- connections, of which readers need nothing:

local VERSION, SEEN, SHOWN_VERSION, SHOWN_SEEN, TEXT, TEXT_UNTIL, DEVICES = 2, 3, 4, 5, 6, 7, 8 -- 1 is the user
local NAME, KIND, CHOSEN, SINCE, ACTIVE, IDLE, CONNECTIONS = 1, 2, 3, 4, 5, 6, 7
local ID, ITS_NODE, ITS_SINCE, ITS_ACTIVE, IS_IDLE, LOST = 1, 2, 3, 4, 5, 6 -- lost: when, 0 while it is live

local OFFLINE, AWAY, ONLINE, INVISIBLE = 0, 1, 2, 5
-- Of a part. They go when they were told, within a second, so there are as many only after a node with 100 000 users died.
local KEPT_TRANSITIONS = 10000
local KEEP_OFFLINE_S = 90 * 86400 -- then "last seen" is forgotten, and the memory of users who left is bounded

local HELD, TEXTS, TRANSITIONS, USERS_ONLINE, NODES, NODE = unpack(KEYS, 1, 6)
local NOW, node = tonumber(ARGV[1]), ARGV[2]

local words -- those of the connection whose turn it is
local STATE, user, connection, member
local stored, state, before
local changed -- whether anybody, the user's own devices included, sees something else

-- model.Device.status
local function status_of(device)
  if device[IDLE] and device[CHOSEN] == ONLINE then return AWAY end
  return device[CHOSEN]
end

-- model.merge
local function merged()
  local status = OFFLINE
  for _, device in ipairs(state[DEVICES]) do status = math.max(status, status_of(device)) end
  return status
end

local function load()
  stored = redis.call('GET', STATE)
  state = stored and cmsgpack.unpack(stored) or { user, 0, 0, 0, 0, '', 0, {} }
  before, changed = merged(), false
end

local function are_idle(connections)
  for _, one in ipairs(connections) do
    if not one[IS_IDLE] then return false end
  end
  return #connections > 0
end

-- All that a device may say of itself changes here, and when it shows.
local function say(device, chosen, idle)
  local was = status_of(device)
  device[CHOSEN], device[IDLE] = chosen, idle
  if status_of(device) ~= was then
    device[SINCE] = NOW
    changed = true
  end
end

-- The device of the connection, the connection, and its place; nothing if it is unknown.
local function find()
  for _, device in ipairs(state[DEVICES]) do
    for place, one in ipairs(device[CONNECTIONS]) do
      if one[ID] == connection then return device, one, place end
    end
  end
end

local function device_named(name, kind, chosen)
  for _, device in ipairs(state[DEVICES]) do
    if device[NAME] == name and device[KIND] == kind then return device end
  end
  local device = { name, kind, chosen, NOW, 0, false, {} }
  table.insert(state[DEVICES], device)
  changed = true
  return device
end

-- A device has fewer connections than it had.
local function look_after(device)
  if #device[CONNECTIONS] > 0 then
    say(device, device[CHOSEN], are_idle(device[CONNECTIONS]))
    return
  end
  for place, one in ipairs(state[DEVICES]) do
    if one == device then table.remove(state[DEVICES], place) end
  end
  changed = true
end

-- The connection belongs to the node and the device, and is live. chosen: the status of a device that is new, or of any if
-- it was said just now. idle: whether the connection is; '' if that is not known: one that comes back to a device that nobody
-- uses, or is new there, wakes nobody.
local function register(name, kind, chosen, said, idle, active)
  local old, one, place = find()
  local device = device_named(name, kind, chosen)
  if idle == '' then
    idle = are_idle(device[CONNECTIONS])
    if idle then active = device[ACTIVE] end
  end
  if old then
    table.remove(old[CONNECTIONS], place)
  else
    one = { connection, node, NOW, 0, false, 0 }
  end
  -- This device is back, so its lost connections need no hold: one that flaps keeps one entry, not one a flap.
  local connections = device[CONNECTIONS]
  for i = #connections, 1, -1 do
    if connections[i][LOST] > 0 then
      redis.call('ZREM', HELD, user .. ' ' .. connections[i][ID])
      table.remove(connections, i)
    end
  end
  table.insert(connections, one)
  one[ITS_NODE], one[IS_IDLE], one[LOST] = node, idle, 0
  one[ITS_ACTIVE] = math.max(one[ITS_ACTIVE], active)
  device[ACTIVE] = math.max(device[ACTIVE], active)
  say(device, said and chosen or device[CHOSEN], are_idle(connections))
  if old and old ~= device then look_after(old) end
  redis.call('SADD', NODE, member)
  redis.call('SADD', NODES, node)
  redis.call('ZREM', HELD, member)
end

local function leave_node()
  local was_there = redis.call('SREM', NODE, member) == 1
  if redis.call('SCARD', NODE) == 0 then redis.call('SREM', NODES, node) end
  return was_there
end

local function remove()
  local device, _, place = find()
  if not device then return end
  table.remove(device[CONNECTIONS], place)
  look_after(device)
  -- Closing the laptop that said "invisible" must not unveil the phone: the other devices take it over. Without this a
  -- node's death would also flash an invisible user's other devices, while they are removed one by one.
  if #device[CONNECTIONS] == 0 and device[CHOSEN] == INVISIBLE then
    for _, other in ipairs(state[DEVICES]) do say(other, INVISIBLE, other[IDLE]) end
  end
end

-- The text, '' for none, and when it ends, 0 for never.
local function write(text, ends)
  if text == '' then ends = 0 end
  if text ~= state[TEXT] or ends ~= state[TEXT_UNTIL] then
    state[TEXT], state[TEXT_UNTIL] = text, ends
    changed = true
  end
  if ends > 0 then redis.call('ZADD', TEXTS, ends, user) else redis.call('ZREM', TEXTS, user) end
end

local function end_text()
  if state[TEXT_UNTIL] > 0 and state[TEXT_UNTIL] <= NOW then write('', 0) end
end

local function save()
  if #state[DEVICES] > 0 then
    redis.call('SET', STATE, cmsgpack.pack(state))
  elseif stored or changed then
    redis.call('SET', STATE, cmsgpack.pack(state), 'EX', KEEP_OFFLINE_S)
  end
end

-- Versions go on from the time: a Redis that lost its memory starts above what clients hold, who keep the highest.
local function raise(version, seen, at)
  state[version] = math.max(state[version] + 1, NOW)
  state[seen] = math.max(state[seen], at)
end

local function hidden(status)
  return status == OFFLINE or status == INVISIBLE
end

-- Ends each function that changes a user: keeps the state, records the transition if there was one, and answers
-- {own view changed, view of others changed, id of the transition, state}, packed. seen: when somebody was there last, for
-- all that this change tells.
local function settle(seen)
  local after = merged()
  if after == OFFLINE then write('', 0) else end_text() end
  local shown = changed and not (hidden(before) and hidden(after))
  if changed then raise(VERSION, SEEN, seen) end
  if shown then raise(SHOWN_VERSION, SHOWN_SEEN, seen) end
  save()
  if before == OFFLINE and after ~= OFFLINE then redis.call('INCR', USERS_ONLINE) end
  if before ~= OFFLINE and after == OFFLINE then redis.call('DECR', USERS_ONLINE) end
  local entry = ''
  if changed then
    -- The node that made the change may die before it told anybody: then another finds it here, see presence/relay.py.
    -- shown: the version of the view of others, 0 where that is the same as before.
    entry = redis.call('XADD', TRANSITIONS, 'MAXLEN', '~', KEPT_TRANSITIONS, '*', 'user', user,
      'status', string.format('%.0f', after), 'version', string.format('%.0f', state[VERSION]),
      'shown', shown and string.format('%.0f', state[SHOWN_VERSION]) or '0', 'at', string.format('%.0f', state[SEEN]))
  end
  return cmsgpack.pack({ changed, shown, entry, state })
end
