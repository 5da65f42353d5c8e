-- The end of a user's text has come. Answers nil to all but one caller.

local function change()
  load()
  end_text()
  if changed then return settle(0) end
  write(state[TEXT], state[TEXT_UNTIL]) -- taken by another sweeper, or replaced by one that ends later
end
