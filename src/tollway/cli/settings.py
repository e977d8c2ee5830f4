"""The settings of a command that works on this machine's installation."""

from typing import Any

from pydantic import ValidationError

from tollway.cli.failure import CommandError
from tollway.config import Settings, UnknownSettingError, load_settings
from tollway.telemetry.logs import configure_logs


def settings_of(**overrides: Any) -> Settings:
    """The settings of the environment, with what was given on the command line.

    Raises:
        CommandError: one cannot be used; its value is not shown, it may be a secret.
    """
    try:
        settings = load_settings(overrides)
    except UnknownSettingError as error:
        raise CommandError(str(error), code="settings", next_step="Correct the variable and try again.") from error
    except ValidationError as error:
        details = [f"TOLLWAY_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
        raise CommandError("A setting cannot be used.", code="settings", details=details) from error
    configure_logs(settings.logs)
    return settings
