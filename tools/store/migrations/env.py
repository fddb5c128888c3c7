"""Alembic runs this with the connection that `migrate` opened; there is no configuration file."""

from alembic import context
from triagebook.tools.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
