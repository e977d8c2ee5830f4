"""What every section of the settings shares."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class Section(BaseSettings):
    """A section reads ``TOLLWAY_<FIELD>`` from the environment; a value given in code wins over it."""

    model_config = SettingsConfigDict(env_prefix="TOLLWAY_", extra="forbid", frozen=True, env_ignore_empty=True)
