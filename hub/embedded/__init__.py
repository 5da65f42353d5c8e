"""PostgreSQL, Valkey and a chain as child processes, for a machine that has none; what starts them needs no package."""
