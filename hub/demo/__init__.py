"""`sparkle-hub demo`: two people meet in a hub. A client: it knows the wire, and nothing of the hub's inside."""
