"""Posts: writing, publishing, reading, and telling those who follow or watch."""
