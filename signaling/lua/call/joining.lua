-- Ringing and joining: signaling/call/joining.py.

-- The people of a command, from its argument `first` on: {id, absent}.
local function people(first)
  local list = {}
  for i = first, #ARGV - FIRST_ARGUMENT + 1, 2 do
    list[#list + 1] = {id = argument(i), absent = argument(i + 1) == '1' or nil}
  end
  return list
end

local function first_ring()
  local to, ring_until = people(3), tonumber(argument(2))
  for _, callee in ipairs(to) do
    put(callee.id, {state = 'ringing', ['until'] = ring_until, rung = 1, by = user, absent = callee.absent})
  end
  put(user, {state = 'joined', rung = 1, accepted = 1})
  put_leg(user)
  call = {call_id = ID, type = argument(1), initiator = user, ring_until = ring_until,
    started = now, joined = 1, ringing = #to, callee = #to == 1 and to[1].id or nil, group = #to > 1 or nil,
    state = 'ringing', version = 0}
  record('ringing', user)
  return 'done'
end

function rules.sync(me)
  everybody()
  if call.state == 'ended' or me.state ~= 'joined' or me.session ~= session then return 'elsewhere' end
  local moved = not held_by_actor(me)
  put_leg(user)
  if not moved then return 'repeat' end
  return 'done', record('resumed', user)
end

function rules.create(me)
  everybody()
  if call.initiator ~= user then return 'unknown' end
  for _, callee in ipairs(people(3)) do
    if not members[callee.id] then return 'unknown' end
  end
  if call.state == 'ended' then return 'repeat' end
  if me.state ~= 'joined' or me.session ~= session then return 'elsewhere' end
  rules.sync(me)
  return 'repeat'
end

function rules.alert(me)
  if not me.by then return 'forbidden' end
  if call.state == 'ended' then return 'ended' end
  if me.state ~= 'ringing' or me.alerted then return 'repeat', me.alerted end
  put(user, {alerted = record('alerting', user)})
  return 'done', me.alerted
end

function rules.accept(me)
  local only_if_ringing, mesh_limit = argument(1) == '1', tonumber(argument(2))
  if not me.by and not call.group then return 'forbidden' end
  if call.state == 'ended' then return 'ended' end
  if held_by_actor(me) then return 'repeat', me.accepted end
  if me.state == 'joined' or (only_if_ringing and me.state ~= 'ringing') then return 'elsewhere' end
  local replaces = me.replaces
  local replaced = replaces and member(replaces)
  local takes_a_place = not (replaced and replaced.state == 'joined')
  if takes_a_place and not call.engine and 0 < mesh_limit and mesh_limit <= call.joined then return 'full' end
  -- One who comes again begins anew, also for the others: their peer connections to the old leg are dead.
  if me.accepted then me.gen = new_generation() end
  if me.state == 'ringing' then change({ringing = call.ringing - 1}) end
  if call.state == 'ringing' then change({state = 'connecting'}) end
  call.alone_until = nil
  change({joined = call.joined + 1, answered = call.answered or now})
  me.reason, me.replaces, me.seq, me.base = nil, nil, nil, nil
  put(user, {state = 'joined', accepted = record('accepted', user)})
  put_leg(user)
  local accepted = me.accepted
  if not takes_a_place then
    leave(replaces, 'moved', replaces)
  else
    look_around('', user)
  end
  return 'done', accepted
end

-- Whether it does not ring there already, or only for nothing, and somebody invites to whom they are there.
local function can_be_rung(one)
  local before = members[one.id]
  if not before or before.state == 'declined' or before.state == 'left' then return true end
  return before.state == 'ringing' and before.absent and not one.absent
end

function rules.invite(me)
  local MOST_MEMBERS = 64
  local ring_until, transfer = tonumber(argument(1)), argument(2) == '1'
  local count = #everybody()
  local why = refused(me)
  if why then return why end
  if transfer and call.state == 'ringing' then return 'not_accepted' end
  local rung, names = {}, {}
  for _, one in ipairs(people(3)) do
    if can_be_rung(one) then
      rung[#rung + 1], names[#names + 1] = one, one.id
      if not members[one.id] then count = count + 1 end
    end
  end
  if #rung == 0 then return 'repeat' end
  if count > MOST_MEMBERS then return 'full' end
  local version = record('invited', user, table.concat(names, ','))
  for _, one in ipairs(rung) do
    local before = members[one.id]
    if not before or before.state ~= 'ringing' then call.ringing = call.ringing + 1 end
    if before then
      before.absent, before.replaces, before.alerted, before.reason = nil, nil, nil, nil
    end
    put(one.id, {state = 'ringing', ['until'] = ring_until, rung = version, by = user, absent = one.absent,
      replaces = transfer and user or nil})
  end
  call.alone_until = nil
  change({group = true, ring_until = math.max(call.ring_until, ring_until)})
  return 'done', version
end

-- Another device has no peer connection yet, so its leg begins a generation.
function rules.take(me)
  local why = refused(me)
  if not why then return 'repeat', me.changed or 0 end
  if why ~= 'elsewhere' or me.state ~= 'joined' then return why end
  local former = me.session
  me.gen = new_generation()
  me.seq, me.base = nil, nil
  put(user, {changed = record('moved', user, whole(me.gen)), change = 'moved'})
  put_leg(user)
  return 'done', me.changed, former
end
