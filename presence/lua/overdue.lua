-- The oldest entries of a stream. KEYS 1 the stream   ARGV 1 ms that they are older than   2 how many at most
-- Gives {age in ms, id, fields} of each.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = {}
for i, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', string.format('%.0f', now - ARGV[1]), 'COUNT', ARGV[2])) do
  found[i] = {now - entry[1]:match('^%d+'), entry[1], entry[2]}
end
return found
