-- The node of a connection is dead. Answers nil to all but one caller, and while the person has another.

if not leave_node() then return nil end
return remove()
