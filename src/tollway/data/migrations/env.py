"""Alembic's entry point: runs the revisions on the connection and in the transaction that `services.migrate` opened."""

import importlib
import pkgutil

from alembic import context

from tollway.data import schema
from tollway.data.migrations.compared import include_name
from tollway.data.schema.base import Base


def _load_tables() -> None:
    """Import every module of `data.schema`, so that all tables are in the metadata and none needs to be listed."""
    for module in pkgutil.iter_modules(schema.__path__):
        importlib.import_module(f"{schema.__name__}.{module.name}")


def _run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None:
        message = "Migrations run through `tollway migrate`, which takes the lock and sets the timeouts."
        raise RuntimeError(message)
    _load_tables()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=include_name,
        compare_server_default=True,
        transaction_per_migration=False,
    )
    context.run_migrations()


_run()
