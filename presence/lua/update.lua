-- A connection chose a status. Words  3 device   4 kind   5 status   6 whether a text is given   7 the text, '' for none
--                                     8 its end, 0 for never

local function change()
  load()
  register(words[3], words[4], tonumber(words[5]), true, false, NOW)
  if words[6] == '1' then write(words[7], tonumber(words[8])) end
  return settle(NOW)
end
