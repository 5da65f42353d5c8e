-- The states of KEYS, users of one part, as one MessagePack array with nil for who has none: put together, not looked at.

local states = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do states[i] = states[i] or '\192' end
return '\220' .. string.char(math.floor(#KEYS / 256), #KEYS % 256) .. table.concat(states)
