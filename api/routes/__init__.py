"""The endpoints: each view asks the store and answers."""
