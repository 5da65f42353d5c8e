-- A connection came. ARGV  5 device   6 status   7 text, for where the device or the text is new

local before = merged()
register(ARGV[5], ARGV[6])
if ARGV[7] ~= '' and redis.call('HSETNX', USER, 'text', ARGV[7]) == 1 then changed = true end
return settle(before, ARGV[1])
