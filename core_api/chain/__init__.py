"""The chain: wallets, the hub's contracts, transactions that are never sent twice, and reads."""
