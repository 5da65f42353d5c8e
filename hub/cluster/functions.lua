#!lua name=sparkle_hub_1
-- The order of events: what must happen at once on one shard. Every key and channel carries the shard's hash tag, so all
-- of them are in one slot of a Redis Cluster.
--
--   {sK}:head       hash: base, seq, run, shards. base is the epoch, and the first number of it: the time, in microseconds
--                   floor: no room that is not in last has had an event above it   old, mark, marked_ms, round: see sweep
--   {sK}:last       hash: room -> number of the last event of the room; negative: it is forgotten, and was at most so much
--   {sK}:idle       hash: room of last -> round of the sweep in which nobody followed it, and it was silent
--   {sK}:x:<room>   stream, ids <number>-0. e: the event, v: number of the one before it in the room, m: id of the message,
--                   t: time in ms
--   {sK}:c:<room>   channel of a room
--   {sK}:n:<node>   channel of a node
--
-- The numbers are near 2^51. tostring() would write them as 1.7e+15.

local function text(number)
  return string.format('%.0f', number)
end

-- The number of the last event of a room that somebody follows. Negative if it is forgotten: it was at most so much. It is
-- kept from now on, however far the floor rises: a client that was told of nothing for an hour has missed nothing either.
local function last_of_followed(keys, room, floor)
  local last = redis.call('HGET', keys[2], room)
  if not last then
    last = '-' .. (floor or '0')
    redis.call('HSET', keys[2], room, last)
  end
  return last
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
local function break_chain(keys, channel, room, number)
  redis.call('HSET', keys[2], room, number)
  redis.call('SPUBLISH', channel, 'E' .. number .. ' ' .. number .. '\n')
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

-- The number of an event that was published not longer ago than so many ms, or nothing.
local function published_within(stream, message, ms, now)
  local last, count = '+', 100
  while true do
    local entries = redis.pcall('XREVRANGE', stream, last, '-', 'COUNT', count)
    for _, entry in ipairs(entries.err and {} or entries) do
      if entry[2][6] == message then
        return string.match(entry[1], '^%d+')
      elseif now - (entry[2][8] or now) > ms then
        return nil
      end
    end
    if entries.err or #entries < count then
      return nil
    end
    last = '(' .. entries[#entries][1]
  end
end

-- Whether an event has arrived at an earlier try, after which its room had its number known. Gives its number; false if nobody
-- can tell any more; nothing if it has not.
local function arrived(stream, message, known, before)
  if math.abs(before) <= known then
    return nil
  end
  local entries = entries_of(stream, '(' .. text(known) .. '-0', '+')
  for _, entry in ipairs(entries) do
    if entry[2][6] == message then
      return string.match(entry[1], '^%d+')
    end
  end
  if not entries[1] or math.abs(entries[1][2][4]) > known then
    return false
  end
end

-- The channels of events to keep that somebody follows, of rooms without a last number.
local function followed_of(args, lasts)
  local channels, followed = {}, {}
  for i = 3, #args, 6 do
    if args[i + 2] ~= '' and not lasts[args[i + 3]] then
      channels[#channels + 1] = args[i]
    end
  end
  if channels[1] then
    local counts = redis.call('PUBSUB', 'SHARDNUMSUB', unpack(channels))
    for i = 1, #counts, 2 do
      followed[counts[i]] = counts[i + 1] > 0
    end
  end
  return followed
end

-- Events, in this order. KEYS head last, stream of each that is kept; ARGV entries kept, ms kept, and for each event: channel,
-- event, message id, room, number known before the first try (empty on the first try), ms in which another node may have
-- published it (empty: none may): then it is published unless that did. One that is not kept has only the first two, and
-- empty words. Gives for each its number, the same one however often it is called; 0 for one that is not kept, or for a room
-- that nobody can have an event of; false if nobody can tell any more whether the event was published: then the room's chain
-- is broken.
local function publish(keys, args)
  local head = redis.call('HMGET', keys[1], 'base', 'floor')
  if not head[1] then
    return redis.error_reply('NOHEAD attach first')
  end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local rooms, lasts = {}, {}
  for i = 3, #args, 6 do
    if args[i + 2] ~= '' then
      rooms[#rooms + 1] = args[i + 3]
    end
  end
  local number = redis.call('HINCRBY', keys[1], 'seq', #rooms) - #rooms
  for i, last in ipairs(redis.call('HMGET', keys[2], unpack(rooms))) do
    lasts[rooms[i]] = last
  end
  local followed = followed_of(args, lasts)
  local floor, kept, said = head[2] or '0', 0, {}
  for i = 3, #args, 6 do
    local channel, event, message, room = args[i], args[i + 1], args[i + 2], args[i + 3]
    local reply = 0
    if message == '' then
      redis.call('SPUBLISH', channel, event)
    else
      kept, number = kept + 1, number + 1
      local stream, own, before = keys[2 + kept], text(number), lasts[room] or '-' .. floor
      local found
      if args[i + 5] ~= '' then
        found = published_within(stream, message, tonumber(args[i + 5]), now)
      elseif args[i + 4] ~= '' then
        found = arrived(stream, message, tonumber(args[i + 4]), before)
      end
      if found then
        reply = found
      elseif found == false then
        break_chain(keys, channel, room, own)
        lasts[room], reply = own, false
      elseif not lasts[room] and not followed[channel] then
        -- Nobody follows the room, and nobody who might come back has followed it. So the event is forgotten at once, as if
        -- it had been kept, and nobody had come for it until the sweep.
        floor = own
      else
        redis.call('HSET', keys[2], room, own)
        append(stream, 'MAXLEN', '~', args[1], own .. '-0', 'e', event, 'v', before, 'm', message, 't', text(now))
        redis.call('PEXPIRE', stream, args[2])
        redis.call('SPUBLISH', channel, 'E' .. own .. ' ' .. before .. '\n' .. event)
        lasts[room], reply = own, own
      end
    end
    said[#said + 1] = reply
  end
  if floor ~= head[2] then
    redis.call('HSET', keys[1], 'floor', floor)
  end
  return said
end

-- An event of these rooms was given up: their members have to be told.
-- KEYS head last; ARGV (channel, room)... Gives the last number.
local function give_up(keys, args)
  if redis.call('HEXISTS', keys[1], 'base') == 0 then
    return redis.error_reply('NOHEAD attach first')
  end
  local number
  for i = 1, #args, 2 do
    number = text(redis.call('HINCRBY', keys[1], 'seq', 1))
    break_chain(keys, args[i], args[i + 1], number)
  end
  return number
end

-- A marker: where the shard and some rooms that the node follows stand, in the order of the messages.
-- KEYS head last idle; ARGV channel of the node, token, rooms... Gives base and seq.
local function mark(keys, args)
  local head = redis.call('HMGET', keys[1], 'base', 'seq', 'floor')
  if not head[1] then
    return redis.error_reply('NOHEAD attach first')
  end
  local said = {head[1], head[2], args[2]}
  for i = 3, #args do
    said[#said + 1] = args[i]
    said[#said + 1] = last_of_followed(keys, args[i], head[3])
  end
  if args[3] then
    redis.call('HDEL', keys[3], unpack(args, 3))
  end
  redis.call('SPUBLISH', args[1], 'M' .. cmsgpack.pack(said))
  return {head[1], head[2]}
end

-- What rooms have had, in parts, all of the moment of the first. KEYS head last stream...; ARGV most entries, the number
-- that the first part gave (empty for the first), (room, number)... An empty number asks only where the room stands. Gives
-- base, that number, and for each room its last number up to there, or nothing if it cannot be told, and the entries above
-- the given one. Fewer rooms, and not all entries of the last one, if there are more.
local function read_part(keys, args)
  local head = redis.call('HMGET', keys[1], 'base', 'seq', 'floor')
  if not head[1] then
    return redis.error_reply('NOHEAD attach first')
  end
  local left, upto = tonumber(args[1]), tonumber(args[2])
  local found = {head[1], upto and args[2] or head[2]}
  for i = 3, #keys do
    local room, above = args[2 * i - 3], args[2 * i - 2]
    local last, entries = last_of_followed(keys, room, head[3]), {}
    if upto and tonumber(last) > upto then
      -- The room went on: its first event after that moment names the one before it.
      local later = entries_of(keys[i], '(' .. args[2] .. '-0', '+', 'COUNT', 1)
      last = later[1] and tonumber(later[1][2][4]) <= upto and later[1][2][4] or false
    end
    if above ~= '' and last and math.abs(last) > tonumber(above) then
      entries = entries_of(keys[i], '(' .. above .. '-0', upto and args[2] or '+', 'COUNT', left)
      left = left - #entries
    end
    found[#found + 1] = {last, entries}
    if left <= 0 then
      break
    end
  end
  return found
end

-- Forgets where rooms stand that nobody follows, and that were silent for so long that none of their events is kept: there
-- may be a new room for every call, document and session, for ever. The floor takes their place: who has heard everything
-- up to it has heard all of theirs, and who has not is told. Rounds tell what is old: each is as long as events are kept,
-- at least. Who followed a room may come back for a while, so it stays for two more of them.
-- KEYS head last idle; ARGV prefix of channels, cursor, about how many rooms, ms after which an event is kept no more. Gives
-- the next cursor, and how many of how many rooms were forgotten.
local function sweep(keys, args)
  local head = redis.call('HMGET', keys[1], 'seq', 'floor', 'old', 'mark', 'marked_ms', 'round')
  if not head[1] then
    return redis.error_reply('NOHEAD attach first')
  end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local floor, old, round = tonumber(head[2] or 0), tonumber(head[3] or 0), tonumber(head[6] or 0)
  if not head[5] or now - head[5] >= tonumber(args[4]) then
    old, round = tonumber(head[4] or 0), round + 1
    redis.call('HSET', keys[1], 'old', text(old), 'mark', head[1], 'marked_ms', text(now), 'round', round)
  end
  local found = redis.call('HSCAN', keys[2], args[2], 'COUNT', args[3])
  local forgotten = 0
  for i = 1, #found[2], 2 do
    local room, number = found[2][i], math.abs(found[2][i + 1])
    if number <= old and redis.call('PUBSUB', 'SHARDNUMSUB', args[1] .. room)[2] == 0 then
      local since = redis.call('HGET', keys[3], room)
      if not since then
        redis.call('HSET', keys[3], room, round)
      elseif round - since >= 2 then
        redis.call('HDEL', keys[2], room)
        redis.call('HDEL', keys[3], room)
        floor, forgotten = math.max(floor, number), forgotten + 1
      end
    end
  end
  redis.call('HSET', keys[1], 'floor', text(floor))
  return {found[1], forgotten, #found[2] / 2}
end

-- All but publishing must go on when memory is full, so that nodes hear, and follow rooms, as long as anything can come.
local function register_needed(name, callback)
  redis.register_function{function_name = name, callback = callback, flags = {'allow-oom'}}
end

redis.register_function('sparkle1_publish', publish)
register_needed('sparkle1_attach', attach)
register_needed('sparkle1_give_up', give_up)
register_needed('sparkle1_mark', mark)
register_needed('sparkle1_read_part', read_part)
register_needed('sparkle1_sweep', sweep)
