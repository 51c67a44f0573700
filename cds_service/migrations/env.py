"""Runs the migrations on the connection that `store.migrating` hands over."""

from alembic import context

from cds_service.store import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
