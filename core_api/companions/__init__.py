"""Companions: who they are, what they and their owners say to each other, what they remember."""
