-- Whether one more connection of a user may begin; then it counts from now on. Answers 1, or 0 if the user has enough.
--
-- KEYS     1 the user's state, see user.lua      2 places: connections about to begin, by when they no longer count (ZSET)
-- ARGV     1 now   2 connection   3 how many others there may be   4 how long a place counts, in ms

local DEVICES, CONNECTIONS, ID, LOST = 8, 7, 1, 6 -- of user.lua

local STATE, PLACES = unpack(KEYS)
local NOW, connection, most, kept = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local taken, count = {}, 0
local function take(id)
  if not taken[id] and id ~= connection then
    taken[id] = true
    count = count + 1
  end
end

local stored = redis.call('GET', STATE)
for _, device in ipairs(stored and cmsgpack.unpack(stored)[DEVICES] or {}) do
  for _, one in ipairs(device[CONNECTIONS]) do
    -- One that is held has gone, and its client may be the one that asks.
    if one[LOST] == 0 then take(one[ID]) end
  end
end
redis.call('ZREMRANGEBYSCORE', PLACES, '-inf', NOW)
for _, id in ipairs(redis.call('ZRANGE', PLACES, 0, -1)) do take(id) end

if count >= most then return 0 end
redis.call('ZADD', PLACES, NOW + kept, connection)
redis.call('PEXPIRE', PLACES, kept)
return 1
