"""Everything that outlives a request: the SQL registry, the weight files, the Redis task ledger."""
