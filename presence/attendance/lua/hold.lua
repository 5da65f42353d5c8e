-- A connection was lost. It counts as its person's until expire.lua takes it, or ends without a word when they are back.
-- ARGV  7 until when

-- Only the node that has it may give it up: this may be a zombie, late by minutes, and the connection buried.
if leave_node() then redis.call('ZADD', LOST, 'NX', ARGV[7], member(connection)) end
