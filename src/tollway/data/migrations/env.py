"""Alembic's entry point: runs the revisions on the connection and in the transaction that `services.migrate` opened."""

from alembic import context

from tollway.data.migrations.compared import include_name
from tollway.data.schema.tables import load_tables


def _run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None:
        message = "Migrations run through `tollway migrate`, which takes the lock and sets the timeouts."
        raise RuntimeError(message)
    context.configure(
        connection=connection,
        target_metadata=load_tables(),
        include_name=include_name,
        compare_server_default=True,
        transaction_per_migration=False,
    )
    context.run_migrations()


_run()
