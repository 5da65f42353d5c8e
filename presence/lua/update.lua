-- A connection chose a status. ARGV  5 device   6 status   7 whether a text is given   8 the text, '' for none

local before = merged()
local field = 'd:' .. ARGV[5]
register(ARGV[5], ARGV[6])
if redis.call('HGET', USER, field):sub(1, 1) ~= ARGV[6] then
  redis.call('HSET', USER, field, ARGV[6] .. ' ' .. ARGV[1])
  changed = true
end
if ARGV[7] == '1' and (redis.call('HGET', USER, 'text') or '') ~= ARGV[8] then
  if ARGV[8] == '' then redis.call('HDEL', USER, 'text') else redis.call('HSET', USER, 'text', ARGV[8]) end
  changed = true
end
return settle(before, ARGV[1])
