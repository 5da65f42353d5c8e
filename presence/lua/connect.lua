-- A connection came. Words  3 device   4 kind   5 status   6 text and   7 its end, for where the device or the text is new
--                           8 whether it is idle: '1', '0', or '' if that is not known   9 when it was active last

local function change()
  load()
  end_text()
  local idle = words[8]
  if idle ~= '' then idle = idle == '1' end
  register(words[3], words[4], tonumber(words[5]), false, idle, tonumber(words[9]))
  if words[6] ~= '' and state[TEXT] == '' then write(words[6], tonumber(words[7])) end
  return settle(tonumber(words[9]))
end
