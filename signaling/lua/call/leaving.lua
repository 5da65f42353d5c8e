-- Leaving, ending and deadlines: signaling/call/leaving.py.

local LAPSED = {ringing = 'cancelled', connecting = 'ice_failed', active = 'ice_timeout'}

rules['end'] = function(me)
  if call.state == 'ended' then return 'repeat' end
  if me.state == 'declined' or me.state == 'left' then return 'repeat', me.left end
  -- Every device of somebody whom it rings may decline; everything else takes the leg.
  if me.state == 'joined' and not held_by_actor(me) then return 'elsewhere' end
  local reason = argument(1)
  if reason == '' then
    reason = me.state ~= 'joined' and 'rejected' or (call.state == 'ringing' and 'cancelled' or 'user_hangup')
  end
  if not call.group then
    finish(reason, user)
    return 'done'
  end
  local left = call.version + 1
  leave(user, reason, user)
  return 'done', left
end

function rules.renew(me)
  local no = refused(me)
  if no then return no end
  put_leg(user)
  redis.call('PEXPIRE', SENT, LIVE_KEPT_MS)
  redis.call('PEXPIRE', LEG .. user, LIVE_KEPT_MS)
  return 'done'
end

function rules.away(me)
  if call.state == 'ended' then return 'ended' end
  if not held_by_actor(me) then return 'elsewhere' end
  if me.away then return 'repeat' end
  put(user, {away = true})
  return 'done', record('away', user)
end

local function lapse(id)
  local reason = members[id].state == 'joined' and LAPSED[call.state] or 'invite_timeout'
  if call.group then leave(id, reason, '') else finish(reason, '') end
end

local function expire(unkept)
  local ids = everybody()
  if call.state == 'ended' then
    if unkept and not call.unkept then change({unkept = true}) end
    return 'ended'
  end
  for _, id in ipairs(ids) do
    local one = members[id]
    if (one.state == 'ringing' or one.state == 'joined') and now >= one['until'] then lapse(id) end
    if call.state == 'ended' then return 'ended' end
  end
  if call.alone_until and now >= call.alone_until then finish('empty', '') end
  return call.state == 'ended' and 'ended' or 'done'
end
