"""What Alembic runs for each command: the schema it compares with, and the connection that it was given.

``store.migrate`` puts that connection, which is inside a transaction, into the configuration's attributes.
"""

from alembic import context

from store.tables import Table

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Table.metadata,
    # SQLite can change a table only by copying it.
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
