"""Who is there, on which devices, and who is typing; over all nodes, and right after a node dies."""
