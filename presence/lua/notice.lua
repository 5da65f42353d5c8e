-- A connection became idle, or is active. Words  3 whether it is idle: '1' or '0'   4 when it was active last
-- Answers nil where the node does not have it.

local function change()
  load()
  local device, one = find()
  if not device or one[ITS_NODE] ~= node then return nil end
  local active = tonumber(words[4])
  one[IS_IDLE], one[ITS_ACTIVE] = words[3] == '1', math.max(one[ITS_ACTIVE], active)
  device[ACTIVE] = math.max(device[ACTIVE], active)
  say(device, device[CHOSEN], are_idle(device[CONNECTIONS]))
  return settle(active)
end
