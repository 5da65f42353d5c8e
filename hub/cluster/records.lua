-- What is kept of connections whose clients may come back. Part of the same library, after functions.lua.
--
--   {sK}:back:<pid> hash: what is kept of a connection whose client may come back. user, login, base (of the shard that
--                   the record is on), gen (how many connections it was), first and ids (of these, the last one last), here
--                   (1 while it is connected), ticket (a digest), ends (of the ticket's sign-in), r:<room> -> position at
--                   joining, n:<room> -> note of a feature

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
  redis.call('HSET', keys[1], 'user', args[2], 'login', args[3], 'first', args[4], 'ids', args[4], 'ticket', args[5],
    'ends', args[6], 'base', base, 'gen', '1', 'here', '1')
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

-- Change a record: its rooms (room, position or empty for one that was left)..., a note on a room, its end.
-- KEYS record; ARGV gen, "rooms" | "note" | "end", ... Gives whose record it is: "mine", "none" if there is none, "other"
-- if another connection has taken it, and then nothing is changed.
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
  else
    redis.call('DEL', keys[1])
  end
  return 'mine'
end

-- Connections have gone. KEYS record...; ARGV ms kept, gen... Gives nothing that matters.
local function leave_records(keys, args)
  for i, key in ipairs(keys) do
    if redis.call('HGET', key, 'gen') == args[i + 1] then
      redis.call('HSET', key, 'here', '0')
      redis.call('PEXPIRE', key, args[1])
    end
  end
  return #keys
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

register_needed('sparkle1_open_record', open_record)
register_needed('sparkle1_take_record', take_record)
register_needed('sparkle1_change_record', change_record)
register_needed('sparkle1_leave_records', leave_records)
register_needed('sparkle1_keep_records', keep_records)
