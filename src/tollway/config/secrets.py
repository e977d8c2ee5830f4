"""Keys that protect keys."""

from pydantic import Field, SecretStr

from tollway.config._base import Section


class SecretSettings(Section):
    """Without these, both are made at the first start and kept in ``secrets.json`` of the data directory."""

    master_key: SecretStr | None = Field(
        None, description="32 bytes in base64: encrypts provider credentials and what is kept of answers."
    )
    key_pepper: SecretStr | None = Field(None, description="At least 32 bytes in base64: peppers the hashes of keys.")
