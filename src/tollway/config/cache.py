"""The response cache."""

from pydantic import Field, SecretStr

from tollway.config._base import Section


class CacheSettings(Section):
    """Answers that are given again; a project turns it on by its `cache_ttl_s`."""

    cache_max_bytes: int = Field(
        64 * 1024 * 1024, ge=0, description="Answers that one worker keeps in memory, all projects together."
    )
    cache_entry_max_bytes: int = Field(1024 * 1024, ge=0, description="Largest answer that is kept.")
    redis_url: SecretStr | None = Field(
        None,
        description="Redis or Valkey (`redis://…`, `rediss://…`) for a response cache that all workers share; needs "
        "`pip install 'tollway[redis]'`. Without it each worker has its own.",
    )
