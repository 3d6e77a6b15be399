"""What Alembic runs for each command: the revisions, on the connection that `upgrade` passes."""

from alembic import context

from kronos_app.store.tables import schema_revision

context.configure(connection=context.config.attributes["connection"], version_table=schema_revision.name)
context.run_migrations()
