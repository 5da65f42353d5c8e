-- The hold of a lost connection is over. Answers nil to all but one caller.

local function change()
  local ends = redis.call('ZSCORE', HELD, member)
  if not ends or tonumber(ends) > NOW then return nil end -- taken by another sweeper, or back again
  redis.call('ZREM', HELD, member)
  load()
  local _, one = find()
  remove()
  return settle(one and one[LOST] or 0)
end
