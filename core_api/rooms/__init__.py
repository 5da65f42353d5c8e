"""Rooms: who may be in them, what was said in them, and who is there."""
