"""Reads request bodies of every form that the contract allows into one nested shape for the schemas."""
