-- The node of a connection is dead. Answers nil to all but one caller.

local function change()
  if not leave_node() then return nil end
  load()
  local _, one = find()
  if not one or one[ITS_NODE] ~= node then return nil end -- it has moved to a live node
  remove()
  return settle(NOW)
end
