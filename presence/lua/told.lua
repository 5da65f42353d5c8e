-- A node has told all that it has of a part. If all others have too, the part is whole.
-- KEYS 1 the word of the part   2 nodes that have told everything (SET)
-- ARGV 1 what a word begins with that is not whole   2 the name of the memory that was told   3 node   then all that have to

if redis.call('GET', KEYS[1]) ~= ARGV[1] .. ARGV[2] then return 0 end -- whole by now, or lost once more
redis.call('SADD', KEYS[2], ARGV[3])
for i = 4, #ARGV do
  if redis.call('SISMEMBER', KEYS[2], ARGV[i]) == 0 then return 0 end
end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[2])
return 1
