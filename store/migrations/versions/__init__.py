"""One module per revision of the SQL schema, in the order of their numbers."""
