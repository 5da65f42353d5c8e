-- The state machine of a call: one command, atomically. signaling/call says the same in Python, file by file.
--
-- KEYS: {calls:K}:ID, the call as JSON. Beside it: …:members, a hash of members as JSON by their user ids; …:events, the
--   stream of changes for all, and …:to:USER, of those for one leg (their ids are the versions); …:sent, see signal.
--   Under the same tag: {calls:K}:owed, a stream of changes that the others have to be told of yet: call, version, at
-- ARGV: command, now, user, session, connection, lease ms, alone ms, ended kept ms, arguments of the command …
-- Answers {verdict, version of the change that the command made, 1 if a deadline ended the call just now, session that
--   lost its leg, the call as JSON with the members that were looked at, version and id in {calls:K}:owed of each change
--   that is owed since}

local key = KEYS[1]
local MEMBERS, EVENTS, SENT, LEG = key .. ':members', key .. ':events', key .. ':sent', key .. ':to:'
local TAG, ID = string.match(key, '^({.-}):(.*)$')
local command, now, user, session, connection = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local lease_ms, alone_ms, ended_kept_ms = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local FIRST_ARGUMENT = 9
local EVENTS_KEPT = 256
-- Far more than a node leaves untold when it dies. Beyond it the oldest go.
local OWED_KEPT = 10000
-- Longer than any lease. Each renewal sets it again, so only a call that every node has forgotten goes this way.
local LIVE_KEPT_MS = 600000
-- An end that is not in the history yet, which cannot be reached.
local UNKEPT_MS = 86400000

local call
local members, texts, changed = {}, {}, {}
local call_changed, lapsed = false, 0
local owed = {}
local rules = {}

local function argument(number) return ARGV[FIRST_ARGUMENT - 1 + number] end

-- Lua's tostring turns Unix milliseconds into 1.8e+12.
local function whole(number) return string.format('%.0f', number) end

local function keep(text)
  if members[text[1]] == nil then members[text[1]], texts[text[1]] = cjson.decode(text[2]), text[2] end
end

local function member(id)
  if members[id] == nil then
    local text = redis.call('HGET', MEMBERS, id)
    if text then keep({id, text}) end
  end
  return members[id]
end

local function everybody()
  local flat = redis.call('HGETALL', MEMBERS)
  for i = 1, #flat, 2 do keep({flat[i], flat[i + 1]}) end
  local ids = {}
  for id in pairs(members) do ids[#ids + 1] = id end
  table.sort(ids)
  return ids
end

local function put(id, fields)
  members[id] = members[id] or {}
  for name, value in pairs(fields) do members[id][name] = value end
  changed[id] = true
end

local function change(fields)
  for name, value in pairs(fields) do call[name] = value end
  call_changed = true
end

-- A signal is not owed: its sender repeats it until it is acknowledged.
local function owe()
  local version = whole(call.version)
  owed[#owed + 1] = call.version
  owed[#owed + 1] = redis.call('XADD', TAG .. ':owed', 'MAXLEN', '~', OWED_KEPT, '*',
    'call', ID, 'version', version, 'at', whole(now))
end

local function record(kind, by, data, seq, to)
  change({version = call.version + 1})
  if to ~= 'media' then  -- nobody asks for what was said to the media server
    local stream = to and LEG .. to or EVENTS
    redis.call('XADD', stream, 'MAXLEN', EVENTS_KEPT, whole(call.version) .. '-0',
      'kind', kind, 'by', by, 'at', whole(now), 'seq', seq or '0', 'data', data or '')
    if to then redis.call('PEXPIRE', stream, LIVE_KEPT_MS) end
  end
  if not to then owe() end
  return call.version
end

local function held_by_actor(me) return me.state == 'joined' and me.connection == connection end

-- Why the actor's connection has no say in the call, if it has none.
local function refused(me)
  if call.state == 'ended' then return 'ended' end
  if me.state == 'ringing' then return 'not_accepted' end
  if not held_by_actor(me) then return 'elsewhere' end
end

local function put_leg(id)
  put(id, {session = session, connection = connection, ["until"] = now + lease_ms})
  members[id].away = nil
end

local function new_generation()
  change({gen = (call.gen or 0) + 1})
  return call.gen
end

local function finish(reason, by)
  everybody()
  call.alone_until = nil
  change({state = 'ended', reason = reason, ended_by = by, ended = now})
  record('ended', by, reason)
end

-- End the call if nobody is in it, or nobody will be; else note whether somebody is alone.
local function look_around(reason, by)
  if call.joined == 0 then
    finish(call.state == 'ringing' and 'cancelled' or reason, by)
  elseif call.state == 'ringing' then
    if call.ringing == 0 then finish(reason, by) end
  elseif call.joined == 1 and call.ringing == 0 then
    change({alone_until = call.alone_until or now + alone_ms})
  end
end

local function leave(id, reason, by)
  local me = members[id]
  local declines = by ~= '' and me.state ~= 'joined'
  if me.state == 'joined' then change({joined = call.joined - 1}) else change({ringing = call.ringing - 1}) end
  local left = record(declines and 'declined' or 'left', id, reason)
  me.session, me.connection, me.away, me.held = nil, nil, nil, nil
  put(id, {state = declines and 'declined' or 'left', ["until"] = 0, left = left, reason = reason})
  look_around(reason, by)
end
