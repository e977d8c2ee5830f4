"""The demo model."""

from pathlib import Path

from pydantic import Field

from tollway.config._base import Section


class LocalModelSettings(Section):
    """The model that runs beside Tollway as the provider `local`, if the extra `local` is installed."""

    local_model: bool = Field(True, description="Whether to start it.")
    local_gguf: Path | None = Field(None, description="A GGUF file to run instead of the packaged SmolLM2-135M.")
    local_threads: int = Field(0, ge=0, le=256, description="Threads; 0 means half of the cores, at least one.")
    local_context_tokens: int = Field(4_096, ge=256, description="Context length of the demo model, in tokens.")
