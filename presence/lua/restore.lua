-- A connection was lost, and then Redis its memory: it counts for the rest of its hold, as if that had not happened.
-- Words as of connect.lua, and  10 when it was lost   11 the end of its hold
-- Answers nil where there is nothing to restore: it is known, or its device is there, or held for as long.

local function is_there_until(device, ends)
  for _, one in ipairs(device[CONNECTIONS]) do
    local held = one[LOST] > 0 and redis.call('ZSCORE', HELD, user .. ' ' .. one[ID])
    if not held or tonumber(held) >= ends then return true end
  end
  return false
end

local function change()
  load()
  if find() then return nil end
  for _, device in ipairs(state[DEVICES]) do
    if device[NAME] == words[3] and device[KIND] == words[4] and is_there_until(device, tonumber(words[11])) then
      return nil
    end
  end
  register(words[3], words[4], tonumber(words[5]), false, words[8] == '1', tonumber(words[9]))
  if words[6] ~= '' and state[TEXT] == '' then write(words[6], tonumber(words[7])) end
  leave_node()
  local _, one = find()
  one[LOST] = tonumber(words[10])
  redis.call('ZADD', HELD, words[11], member)
  return settle(tonumber(words[9]))
end
