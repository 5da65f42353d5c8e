-- Signals, media, hold, upgrade, restart, and the media server: signaling/call/talking.py.

local function answered(kind)
  if kind == 'answer' and call.state == 'connecting' then change({state = 'active'}) end
end

-- 'done' if a signal can go to `to`; else why not.
local function destination(me, to, gen)
  local target = to ~= 'media' and member(to) or nil
  if target and target.state == 'ringing' then return 'not_accepted' end
  if to == 'media' then
    if not call.engine then return 'gone' end
  elseif not target or target.state ~= 'joined' or target == me then
    return 'gone'
  end
  local generation = math.max(call.floor or 0, me.gen or 0, target and target.gen or 0)
  return gen >= 0 and gen < generation and 'stale' or 'done'
end

function rules.signal(me)
  local SENT_KEPT, MOST_SIGNALS = 64, 2000
  local seq, kind, data, to, gen = tonumber(argument(1)), argument(2), argument(3), argument(4), tonumber(argument(5))
  if call.state == 'ringing' then return 'not_accepted' end
  local why = refused(me)
  if why then return why end
  if call.group and to == '' then return 'no_target' end
  if to == '' then to = user == call.callee and call.initiator or call.callee end
  local where, last = destination(me, to, gen), me.seq or 0
  -- The versions of the last signals of each leg, in a ring: a repeat gets the version that it got the first time.
  -- 0 is of one that went nowhere.
  local slot = user .. ':' .. whole(seq % SENT_KEPT)
  if seq > last + 1 then return 'gap' end
  if seq <= last then
    local first = seq > last - SENT_KEPT and redis.call('HGET', SENT, slot) or nil
    return (where == 'gone' or where == 'stale') and where or 'repeat', first
  end
  if seq > (me.base or 0) + MOST_SIGNALS then return 'full' end
  if where == 'not_accepted' then return where end
  put(user, {seq = seq})
  if where == 'done' then
    answered(kind)
    record('signal', user, data, whole(seq), to)
  end
  redis.call('HSET', SENT, slot, where == 'done' and whole(call.version) or '0')
  redis.call('PEXPIRE', SENT, LIVE_KEPT_MS)
  return where
end

local function changed_by_actor(me, kind, data)
  put(user, {changed = record(kind, user, data), change = kind})
  return 'done', me.changed
end

function rules.media(me)
  local media = argument(1)
  local why = refused(me)
  if why then return why end
  if me.media == media then return 'repeat', me.changed or 0 end
  me.media = media
  return changed_by_actor(me, 'media', media)
end

function rules.hold(me)
  local on = argument(1) == '1'
  local why = refused(me)
  if why then return why end
  if (me.held or false) == on then return 'repeat', me.changed or 0 end
  me.held = on
  return changed_by_actor(me, on and 'held' or 'unheld')
end

function rules.upgrade(me)
  local why = refused(me)
  if why then return why end
  if call.type == argument(1) then return 'repeat', me.changed or 0 end
  change({type = argument(1)})
  return changed_by_actor(me, 'upgraded', call.type)
end

function rules.restart(me)
  local gen = tonumber(argument(1))
  local why = refused(me)
  if why then return why end
  if gen >= 0 and gen < (me.gen or 0) then return 'repeat', me.changed or 0 end
  me.gen, me.base = new_generation(), me.seq
  return changed_by_actor(me, 'restarted', whole(me.gen))
end

local function tell(to, kind, data)
  local target = member(to)
  if call.state == 'ended' then return 'ended' end
  if not target or target.state ~= 'joined' then return 'gone' end
  answered(kind)
  return 'done', record('signal', 'media', data, '0', to)
end

local function move(engine, gen)
  everybody()
  if call.state == 'ended' then return 'ended' end
  if (call.floor or 0) > gen then return 'repeat' end
  call.engine = engine ~= 'mesh' and engine or nil
  change({floor = new_generation()})
  return 'done', record('move', '', engine)
end
