-- Behind every function: calls it for each connection, and gives what it answers; false for nil.

local answers, width = {}, tonumber(ARGV[3])
for i = 7, #KEYS do
  local first = 4 + (i - 7) * width
  words = { unpack(ARGV, first, first + width - 1) }
  STATE, user, connection = KEYS[i], words[1], words[2]
  member = user .. ' ' .. connection
  answers[i - 6] = change() or false
end
return answers
