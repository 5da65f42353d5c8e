-- A connection chose a status. ARGV  5 device   6 kind   7 status   8 whether a text is given   9 the text, '' for none
--                                    10 its end, 0 for never

register(ARGV[5], ARGV[6], tonumber(ARGV[7]), true, false, NOW)
if ARGV[8] == '1' then write(ARGV[9], tonumber(ARGV[10])) end
return settle(NOW)
