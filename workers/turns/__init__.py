"""How a worker takes part in the turns of accounts: which tasks it takes, and how many of them are heavy."""
