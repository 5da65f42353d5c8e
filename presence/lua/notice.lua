-- A connection became idle, or is active. ARGV  5 whether it is idle: '1' or '0'   6 when it was active last
-- Answers nil where the node does not have it.

local device, one = find()
if not device or one[ITS_NODE] ~= node then return nil end
local active = tonumber(ARGV[6])
one[IS_IDLE], one[ITS_ACTIVE] = ARGV[5] == '1', math.max(one[ITS_ACTIVE], active)
device[ACTIVE] = math.max(device[ACTIVE], active)
say(device, device[CHOSEN], are_idle(device[CONNECTIONS]))
return settle(active)
