"""How Alembic reaches the database: through the connection that the server hands it."""

from alembic import context

from safelight_server import workflows_tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=workflows_tables.workflows.metadata,
    transactional_ddl=True,
)
context.run_migrations()
