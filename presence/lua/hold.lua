-- A connection was lost. Words  3 when   4 the end of its hold
-- It counts until expire.lua takes it, or ends without a word when its device comes back.

local function change()
  leave_node()
  load()
  local _, one = find()
  -- Only the node that has it may give it up: this may be a zombie, late by minutes, and the connection long elsewhere.
  if one and one[ITS_NODE] == node and one[LOST] == 0 then
    one[LOST] = tonumber(words[3])
    redis.call('ZADD', HELD, words[4], member)
    save()
  end
end
