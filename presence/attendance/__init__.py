"""Who is in a room, over all nodes: counts, people by arrival, and telling of those who come and go."""
