"""The IDs of tasks, which never come back, and the epochs of the ledger: what happens when Redis loses its data."""
