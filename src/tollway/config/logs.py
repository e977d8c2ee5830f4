"""Logs."""

from typing import Literal

from pydantic import Field

from tollway.config._base import Section


class LogSettings(Section):
    """Form and amount of the logs."""

    log_format: Literal["json", "pretty", "auto"] = Field(
        "auto", description="`json`, `pretty`, or `auto`: pretty on a terminal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level shown.")
    access_log: bool = Field(True, description="One line for each request.")
