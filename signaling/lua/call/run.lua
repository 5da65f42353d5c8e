-- Which rule: signaling/call/transition.py.

local function save()
  local kept = LIVE_KEPT_MS
  if call.state == 'ended' then kept = call.unkept and UNKEPT_MS or ended_kept_ms end
  local flat = {}
  for id in pairs(changed) do
    texts[id] = cjson.encode(members[id])
    flat[#flat + 1], flat[#flat + 2] = id, texts[id]
  end
  if #flat > 0 then redis.call('HSET', MEMBERS, unpack(flat)) end
  redis.call('SET', key, cjson.encode(call), 'PX', kept)
  redis.call('PEXPIRE', MEMBERS, kept)
  redis.call('PEXPIRE', EVENTS, kept)
end

local function answer(verdict, version, former)
  if not call then return {verdict, 0, 0, '', '', owed} end
  if call_changed or next(changed) then save() end
  local shown = {}
  for id in pairs(members) do shown[#shown + 1] = cjson.encode(id) .. ':' .. texts[id] end
  local text = string.sub(cjson.encode(call), 1, -2) .. ',"members":{' .. table.concat(shown, ',') .. '}}'
  return {verdict, tonumber(version or call.version), lapsed, former or '', text, owed}
end

local stored = redis.call('GET', key)
if not stored then
  if command == 'create' then return answer(first_ring()) end
  return answer('unknown')
end
call = cjson.decode(stored)

-- The index of deadlines lives in another slot and is a hint only; here is where they count. A ring deadline is judged at
-- every command, so that nobody answers a call that is over. A lease is judged by the sweeper alone: after an outage of
-- Redis everybody is late, and the first command must not end the calls whose renewal is just behind it.
if call.state == 'ringing' and now >= call.ring_until then
  lapsed = 1
  finish('invite_timeout', '')
end

if command == 'expire' then
  local was_over = call.state == 'ended'
  local verdict = expire(argument(1) == '1')
  if call.state == 'ended' and not was_over then lapsed = 1 end
  return answer(verdict)
end
if command == 'tell' then return answer(tell(argument(1), argument(2), argument(3))) end
if command == 'move' then return answer(move(argument(1), tonumber(argument(2)))) end
local me = member(user)
if not me or me.absent then return answer('unknown') end
return answer(rules[command](me))
