"""All tables: every module of this package is imported, so that none needs to be listed."""

import importlib
import pkgutil

from sqlalchemy import MetaData

from tollway.data import schema
from tollway.data.schema.base import Base


def load_tables() -> MetaData:
    """The metadata with every table in it."""
    for module in pkgutil.iter_modules(schema.__path__):
        importlib.import_module(f"{schema.__name__}.{module.name}")
    return Base.metadata
