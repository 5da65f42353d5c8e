#!lua name=sparkle_hub_1
-- The order of events: what must happen at once on one shard. Every key and channel carries the shard's hash tag, so all
-- of them are in one slot of a Redis Cluster.
--
--   {sK}:head       hash: base, seq, run, shards. base is the epoch, and the first number of it: the time, in microseconds
--   {sK}:last       hash: room -> number of the last event of the room
--   {sK}:x:<room>   stream, ids <number>-0. e: the event, v: number of the one before it in the room, m: id of the message
--   {sK}:c:<room>   channel of a room
--   {sK}:n:<node>   channel of a node
--   {sK}:back:<pid> hash: what is kept of a connection whose client may come back. user, login, base (of the shard that
--                   the record is on), gen (how many connections it was), first and ids (of these, the last one last), here (1 while
--                   it is connected), ticket (a digest), ends (of the ticket's sign-in), r:<room> -> position at joining,
--                   n:<room> -> note of a feature
--
-- The numbers are near 2^51. tostring() would write them as 1.7e+15.

local function text(number)
  return string.format('%.0f', number)
end

-- Run on every new connection, before any other command: is this still the data that positions refer to?
-- KEYS head; ARGV run id of the server, whether every answered write is on its disk ("1"), how many shards there are. Gives
-- base and seq.
local function attach(keys, args)
  local head = redis.call('HMGET', keys[1], 'base', 'seq', 'run', 'shards')
  if head[4] and head[4] ~= args[3] then
    -- Which shard a room is on follows from their number: nodes with another would talk past each other.
    return redis.error_reply('SHARDS ' .. head[4])
  end
  redis.call('HSET', keys[1], 'shards', args[3])
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  if not head[1] then
    redis.call('HSET', keys[1], 'base', text(now), 'seq', text(now), 'run', args[1])
  elseif head[3] ~= args[1] then
    redis.call('HSET', keys[1], 'run', args[1])
    if args[2] ~= '1' then
      -- Another process serves this data, and its end may be missing. Its numbers would be given once more, and nodes
      -- would take new events for old ones. So a new epoch begins, above every number that was given.
      local base = text(math.max(now, tonumber(head[2]) + 1048576))
      redis.call('HSET', keys[1], 'base', base, 'seq', base)
    end
  end
  return redis.call('HMGET', keys[1], 'base', 'seq')
end

-- A number without an event breaks the chain of a room, which every node finds by itself, now or when somebody resumes.
local function break_chain(keys, channel, room)
  local number = text(redis.call('HINCRBY', keys[1], 'seq', 1))
  redis.call('HSET', keys[2], room, number)
  redis.call('SPUBLISH', channel, 'E' .. number .. ' ' .. number .. '\n')
  return number
end

-- What other programs left under a room's key holds no events. Whoever asks for some finds that they are missing.
local function entries_of(stream, first, last, ...)
  local found = redis.pcall('XRANGE', stream, first, last, ...)
  return found.err and {} or found
end

-- A stream that takes no entry would hold up its room for ever, and its shard with it: it begins anew. The entry names the
-- number before it, so who follows the room misses nothing, and who comes back for what was in there is told.
local function append(stream, ...)
  if redis.pcall('XADD', stream, ...).err then
    redis.call('DEL', stream)
    redis.call('XADD', stream, ...)
  end
end

-- KEYS head last stream; ARGV channel, room, event, entries kept, ms kept, message id, number known before the first try
-- (empty on the first try). Gives the event's number, the same one however often it is called; or nothing, if nobody can
-- tell any more whether the event was published: then the room's chain is broken.
local function publish(keys, args)
  if redis.call('HEXISTS', keys[1], 'base') == 0 then
    return redis.error_reply('NOHEAD attach first')
  end
  local before = redis.call('HGET', keys[2], args[2]) or '0'
  if args[7] ~= '' and tonumber(before) > tonumber(args[7]) then
    local entries = entries_of(keys[3], '(' .. args[7] .. '-0', '+')
    for _, entry in ipairs(entries) do
      if entry[2][6] == args[6] then
        return string.match(entry[1], '^%d+')
      end
    end
    if not entries[1] or tonumber(entries[1][2][4]) > tonumber(args[7]) then
      break_chain(keys, args[1], args[2])
      return false
    end
  end
  local number = text(redis.call('HINCRBY', keys[1], 'seq', 1))
  redis.call('HSET', keys[2], args[2], number)
  append(keys[3], 'MAXLEN', '~', args[4], number .. '-0', 'e', args[3], 'v', before, 'm', args[6])
  redis.call('PEXPIRE', keys[3], args[5])
  redis.call('SPUBLISH', args[1], 'E' .. number .. ' ' .. before .. '\n' .. args[3])
  return number
end

-- An event of these rooms was given up: their members have to be told.
-- KEYS head last; ARGV (channel, room)... Gives the last number.
local function give_up(keys, args)
  if redis.call('HEXISTS', keys[1], 'base') == 0 then
    return redis.error_reply('NOHEAD attach first')
  end
  local number
  for i = 1, #args, 2 do
    number = break_chain(keys, args[i], args[i + 1])
  end
  return number
end

-- A marker: where the shard and some rooms stand, in the order of the messages.
-- KEYS head last; ARGV channel of the node, token, rooms... Gives base and seq.
local function mark(keys, args)
  local head = redis.call('HMGET', keys[1], 'base', 'seq')
  if not head[1] then
    return redis.error_reply('NOHEAD attach first')
  end
  local said = {head[1], head[2], args[2]}
  for i = 3, #args do
    said[#said + 1] = args[i]
    said[#said + 1] = redis.call('HGET', keys[2], args[i]) or '0'
  end
  redis.call('SPUBLISH', args[1], 'M' .. cmsgpack.pack(said))
  return head
end

-- KEYS head last stream...; ARGV limit, (room, number)... An empty number asks only where the room stands.
-- Gives base, seq, and for each room its last number and the entries above the given one, all of one moment.
local function read(keys, args)
  local head = redis.call('HMGET', keys[1], 'base', 'seq')
  if not head[1] then
    return redis.error_reply('NOHEAD attach first')
  end
  local found = {head[1], head[2]}
  for i = 3, #keys do
    local room, above = args[2 * i - 4], args[2 * i - 3]
    local entries = {}
    if above ~= '' then
      entries = entries_of(keys[i], '(' .. above .. '-0', '+', 'COUNT', args[1])
    end
    found[#found + 1] = {redis.call('HGET', keys[2], room) or '0', entries}
  end
  return found
end

-- Begin a record. KEYS record head; ARGV ms kept, user, login, connection id, ticket, ends, (room, position)...
-- Gives the base.
local function open_record(keys, args)
  local base = redis.call('HGET', keys[2], 'base')
  if not base then
    return redis.error_reply('NOHEAD attach first')
  end
  local gen = redis.call('HGET', keys[1], 'gen')
  if gen and gen ~= '1' then
    return base -- a repeat, and its client has come back since the first
  end
  redis.call('DEL', keys[1])
  redis.call('HSET', keys[1], 'user', args[2], 'login', args[3], 'first', args[4], 'ids', args[4], 'ticket', args[5], 'ends', args[6],
    'base', base, 'gen', '1', 'here', '1')
  for i = 7, #args, 2 do
    redis.call('HSET', keys[1], 'r:' .. args[i], args[i + 1])
  end
  redis.call('PEXPIRE', keys[1], args[1])
  return base
end

-- Make a record that of another connection. KEYS record head; ARGV ms kept, user, login, connection id, ids kept, ticket
-- and ends, both empty if it was not let in by one.
-- Gives the record as it is then, with "was" (1 if the connection before it is not known to be gone); nothing, if there
-- is none, or it is of somebody else or another epoch.
local function take_record(keys, args)
  local said = redis.call('HMGET', keys[1], 'user', 'login', 'base', 'ids', 'here')
  if said[1] ~= args[2] or said[2] ~= args[3] or said[3] ~= redis.call('HGET', keys[2], 'base') then
    return false
  end
  local ids = {}
  for id in string.gmatch(said[4], '%S+') do
    ids[#ids + 1] = id
  end
  if ids[#ids] ~= args[4] then -- else a repeat, after which nobody can tell any more whether the one before was there
    ids[#ids + 1] = args[4]
    redis.call('HINCRBY', keys[1], 'gen', 1)
  end
  if args[6] ~= '' then
    redis.call('HSET', keys[1], 'ticket', args[6], 'ends', args[7])
  end
  local first = math.max(1, #ids - tonumber(args[5]) + 1)
  redis.call('HSET', keys[1], 'ids', table.concat(ids, ' ', first), 'here', '1')
  redis.call('PEXPIRE', keys[1], args[1])
  local record = redis.call('HGETALL', keys[1])
  record[#record + 1] = 'was'
  record[#record + 1] = said[5]
  return record
end

-- Change a record: its rooms (room, position or empty for one that was left)..., a note on a room, the end of its
-- connection, its own end. KEYS record; ARGV gen, "rooms" | "note" | "gone" | "end", ... Gives whose record it is: "mine", "none" if there is none, "other" if another connection
-- has taken it, and then nothing is changed.
local function change_record(keys, args)
  local gen = redis.call('HGET', keys[1], 'gen')
  if gen ~= args[1] then
    return gen and 'other' or 'none'
  end
  if args[2] == 'rooms' then
    for i = 3, #args, 2 do
      if args[i + 1] == '' then
        redis.call('HDEL', keys[1], 'r:' .. args[i], 'n:' .. args[i])
      else
        redis.call('HSET', keys[1], 'r:' .. args[i], args[i + 1])
      end
    end
  elseif args[2] == 'note' then
    if redis.call('HEXISTS', keys[1], 'r:' .. args[3]) == 1 then
      redis.call('HSET', keys[1], 'n:' .. args[3], args[4])
    end
  elseif args[2] == 'gone' then
    redis.call('HSET', keys[1], 'here', '0')
    redis.call('PEXPIRE', keys[1], args[3])
  else
    redis.call('DEL', keys[1])
  end
  return 'mine'
end

-- Keep records for longer. KEYS record...; ARGV ms kept, gen... Gives for each whose it is, as change_record does, and
-- keeps only what is mine.
local function keep_records(keys, args)
  local whose = {}
  for i, key in ipairs(keys) do
    local gen = redis.call('HGET', key, 'gen')
    if gen == args[i + 1] then
      redis.call('PEXPIRE', key, args[1])
      whose[i] = 'mine'
    else
      whose[i] = gen and 'other' or 'none'
    end
  end
  return whose
end

-- All but publishing must go on when memory is full, so that nodes hear, and follow rooms, as long as anything can come.
local function register_needed(name, callback)
  redis.register_function{function_name = name, callback = callback, flags = {'allow-oom'}}
end

redis.register_function('sparkle1_publish', publish)
register_needed('sparkle1_attach', attach)
register_needed('sparkle1_give_up', give_up)
register_needed('sparkle1_mark', mark)
register_needed('sparkle1_read', read)
register_needed('sparkle1_open_record', open_record)
register_needed('sparkle1_take_record', take_record)
register_needed('sparkle1_change_record', change_record)
register_needed('sparkle1_keep_records', keep_records)
