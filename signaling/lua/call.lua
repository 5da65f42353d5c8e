-- The state machine of a call: one command, atomically. signaling/model.py says the same in Python, command by command.
--
-- KEYS: {c:ID} hash, {c:ID}:events stream (its ids are the versions), {c:ID}:sent hash (see signal)
-- ARGV: command, now, user, session, connection, lease ms, ended kept ms, arguments of the command …
-- Answers {verdict, version of the event that the command made, 1 if a deadline ended the call just now, fields of the call}

local key, log, sent = KEYS[1], KEYS[2], KEYS[3]
local command, now, user, session, connection = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local lease_ms, ended_kept_ms = tonumber(ARGV[6]), ARGV[7]
local EVENTS_KEPT = 256
local SENT_KEPT = 64
-- Longer than any lease. Each renewal sets it again, so only a call that every node has forgotten goes this way.
local LIVE_KEPT_MS = 600000

local call = {}
local fields = redis.call('HGETALL', key)
for i = 1, #fields, 2 do call[fields[i]] = fields[i + 1] end
local lapsed = 0

local function set(changes)
  for name, value in pairs(changes) do
    call[name] = tostring(value)
    redis.call('HSET', key, name, call[name])
  end
end

-- Lua's tostring turns Unix milliseconds into 1.8e+12.
local function whole(number) return string.format('%.0f', number) end

local function keep(ms)
  redis.call('PEXPIRE', key, ms)
  redis.call('PEXPIRE', log, ms)
  redis.call('PEXPIRE', sent, ms)
end

local function record(kind, data, seq)
  call.version = whole(redis.call('HINCRBY', key, 'version', 1))
  redis.call('XADD', log, 'MAXLEN', EVENTS_KEPT, call.version .. '-0',
    'kind', kind, 'by', user, 'at', whole(now), 'seq', seq or '0', 'data', data)
  return call.version
end

local function hold(role)
  set({
    [role .. '_session'] = session,
    [role .. '_connection'] = connection,
    [role .. '_lease'] = whole(now + lease_ms),
    [role .. '_seq'] = call[role .. '_seq'] or '0',
  })
end

local function holds(role) return call[role .. '_connection'] == connection end

local function finish(reason)
  set({state = 'ended', reason = reason})
  record('ended', reason)
  keep(ended_kept_ms)
end

local function lease_over(role)
  local lease = call[role .. '_lease']
  return lease and now >= tonumber(lease)
end

local function answer(verdict, version)
  local flat = {}
  for name, value in pairs(call) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  return {verdict, tonumber(version or call.version or 0), lapsed, flat}
end

local commands = {}

function commands.alert(role)
  if role ~= 'callee' then return answer('forbidden') end
  if call.state == 'ended' then return answer('ended') end
  if call.state ~= 'ringing' or call.alerted then return answer('repeat', call.alerted) end
  set({alerted = record('alerting', '')})
  return answer('done', call.alerted)
end

function commands.accept(role)
  if role ~= 'callee' then return answer('forbidden') end
  if call.state == 'ended' then return answer('ended') end
  if call.state == 'ringing' then
    hold(role)
    set({state = 'connecting', accepted = record('accepted', '')})
    return answer('done', call.accepted)
  end
  if holds(role) then return answer('repeat', call.accepted) end
  return answer('elsewhere')
end

commands['end'] = function(role)
  if call.state == 'ended' then return answer('repeat') end
  local answered = call.state ~= 'ringing'
  -- While it rings, every device of the callee may refuse; everything else takes the leg.
  if (answered or role == 'caller') and not holds(role) then return answer('elsewhere') end
  local reason = ARGV[8]
  if reason == '' then
    reason = answered and 'user_hangup' or (role == 'caller' and 'cancelled' or 'rejected')
  end
  finish(reason)
  return answer('done')
end

function commands.signal(role)
  if call.state == 'ended' then return answer('ended') end
  if call.state == 'ringing' then return answer('not_accepted') end
  if not holds(role) then return answer('elsewhere') end
  local seq, kind, data = tonumber(ARGV[8]), ARGV[9], ARGV[10]
  local last = tonumber(call[role .. '_seq'])
  -- The versions of the last signals of each leg, in a ring: a repeat gets the version that it got the first time.
  local slot = role .. ':' .. whole(seq % SENT_KEPT)
  if seq > last + 1 then return answer('gap') end
  if seq <= last then
    return answer('repeat', seq > last - SENT_KEPT and redis.call('HGET', sent, slot) or call.version)
  end
  set({[role .. '_seq'] = whole(seq)})
  if kind == 'answer' then set({state = 'active'}) end
  local version = record('signal', data, whole(seq))
  redis.call('HSET', sent, slot, version)
  keep(LIVE_KEPT_MS)
  return answer('done', version)
end

-- A new connection of the session that has this leg takes it over; for anybody else nothing changes.
function commands.resume(role)
  if call.state == 'ended' or call[role .. '_session'] ~= session then return answer('elsewhere') end
  local moved = not holds(role)
  hold(role)
  if not moved then return answer('repeat') end
  return answer('done', record('resumed', ''))
end

function commands.renew(role)
  if call.state == 'ended' then return answer('ended') end
  if not holds(role) then return answer('elsewhere') end
  hold(role)
  keep(LIVE_KEPT_MS)
  return answer('done')
end

-- The index of deadlines lives in another slot and is a hint only; here is where they count. A ring deadline is judged at
-- every command, so that nobody answers a call that is over. A lease is judged by the sweeper alone: after an outage of
-- Redis everybody is late, and the first command must not end the calls whose renewal is just behind it.
if call.state == 'ringing' and now >= tonumber(call.ring_until) then
  user, lapsed = '', 1
  finish('invite_timeout')
  user = ARGV[3]
end

if command == 'create' then
  local callee, media, ring_until = ARGV[8], ARGV[9], ARGV[10]
  if call.state then
    if call.initiator ~= user or call.callee ~= callee then return answer('unknown') end
    if call.state ~= 'ended' and call.caller_session ~= session then return answer('elsewhere') end
    if call.state ~= 'ended' then commands.resume('caller') end
    return answer('repeat')
  end
  set({state = 'ringing', type = media, initiator = user, callee = callee, ring_until = ring_until})
  hold('caller')
  record('ringing', '')
  keep(LIVE_KEPT_MS)
  return answer('done')
end

if not call.state then return answer('unknown') end

if command == 'expire' and call.state ~= 'ended' and (lease_over('caller') or lease_over('callee')) then
  lapsed = 1
  finish(({ringing = 'cancelled', connecting = 'ice_failed', active = 'ice_timeout'})[call.state])
end
if command == 'expire' then return answer(call.state == 'ended' and 'ended' or 'done') end

if user == call.initiator then return commands[command]('caller') end
if user == call.callee then return commands[command]('callee') end
return answer('unknown')
