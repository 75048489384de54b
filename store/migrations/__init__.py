"""The history of the SQL schema; ``store.migrate`` brings a database to its newest revision."""
