"""What the staff does with nodes, live connections and accounts, by REST."""
