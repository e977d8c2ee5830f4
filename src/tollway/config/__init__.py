"""Typed settings, one file a section; the environment comes first, unknown ``TOLLWAY_`` variables are an error."""

import difflib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from tollway.config._base import Section
from tollway.config.cache import CacheSettings
from tollway.config.limits import LimitSettings
from tollway.config.local_model import LocalModelSettings
from tollway.config.logs import LogSettings
from tollway.config.secrets import SecretSettings
from tollway.config.server import ServerSettings
from tollway.config.storage import StorageSettings

CLIENT_VARIABLES = frozenset({"TOLLWAY_URL", "TOLLWAY_API_KEY"})
"""Variables of the command line as a client of a running server; they are not settings of the server."""

READY_FD_VARIABLE = "TOLLWAY_READY_FD"
"""Set by the supervisor for its children: the descriptor on which a child writes one line once it is ready."""

START_FD_VARIABLE = "TOLLWAY_START_FD"
"""Set by the supervisor for its children: the descriptor whose end tells a child that it may begin."""

WORKER_NUMBER_VARIABLE = "TOLLWAY_WORKER_NUMBER"
"""Set by the supervisor for its workers: from 1 on; who is started in the place of one that died has its number."""


class UnknownSettingError(ValueError):
    """A ``TOLLWAY_`` variable that no setting reads: most often a typing error."""


class Settings(BaseModel):
    """All sections."""

    model_config = ConfigDict(frozen=True)

    server: ServerSettings
    storage: StorageSettings
    limits: LimitSettings
    cache: CacheSettings
    secrets: SecretSettings
    logs: LogSettings
    local_model: LocalModelSettings


def sections() -> Iterator[tuple[str, type[Section]]]:
    """Each section's name and class, in the order of `Settings`."""
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            yield name, section


def variables() -> dict[str, tuple[type[Section], str]]:
    """Every environment variable that is a setting → its section and field."""
    return {f"TOLLWAY_{field.upper()}": (section, field) for _, section in sections() for field in section.model_fields}


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings from the environment.

    Args:
        overrides: field name → value (from the command line); ``None`` values are ignored.

    Raises:
        UnknownSettingError: a ``TOLLWAY_`` variable is not a setting.
        pydantic.ValidationError: a value cannot be used.
    """
    known = variables()
    accepted = {*known, *CLIENT_VARIABLES, READY_FD_VARIABLE, START_FD_VARIABLE, WORKER_NUMBER_VARIABLE}
    for name in os.environ:
        if name.startswith("TOLLWAY_") and name not in accepted:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else " See `docs/operator/settings.md`."
            message = f"{name} is not a setting of Tollway.{hint}"
            raise UnknownSettingError(message)
    given = {field: value for field, value in (overrides or {}).items() if value is not None}
    loaded: dict[str, Section] = {}
    for name, section in sections():
        loaded[name] = section(**{field: given.pop(field) for field in list(given) if field in section.model_fields})
    if given:
        message = f"Not settings: {', '.join(sorted(given))}."
        raise UnknownSettingError(message)
    return Settings(**loaded)


__all__ = ["Section", "Settings", "UnknownSettingError", "load_settings", "sections", "variables"]
