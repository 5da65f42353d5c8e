-- A connection was taken out of a room.

leave_node()
redis.call('ZREM', LOST, member(connection))
return counted(remove())
