"""Where a worker may connect for a client, and how it does: names, addresses, and the judgement of them."""
