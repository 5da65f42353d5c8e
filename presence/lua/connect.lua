-- A connection came. ARGV  5 device   6 kind   7 status   8 text and   9 its end, for where the device or the text is new
--                          10 whether it is idle: '1', '0', or '' if that is not known   11 when it was active last

end_text()
local idle = ARGV[10]
if idle ~= '' then idle = idle == '1' end
register(ARGV[5], ARGV[6], tonumber(ARGV[7]), false, idle, tonumber(ARGV[11]))
if ARGV[8] ~= '' and state[TEXT] == '' then write(ARGV[8], tonumber(ARGV[9])) end
return settle(tonumber(ARGV[11]))
