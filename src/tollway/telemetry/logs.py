"""Logs: structlog, as JSON lines or pretty. What may be logged is decided here and nowhere else."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import msgspec
import structlog

from tollway.config.logs import LogSettings

_SECRET_NAMES = re.compile(
    r"authorization|api[_-]?key|password|secret|credential|token$|cookie|pepper|master", re.IGNORECASE
)
_SECRET_VALUES = re.compile(
    r"\b((tw|sk|gsk|csk|xai|pk|rk|pplx|nvapi)-|hf_|AIza|whsec_)[A-Za-z0-9_\-+/=]{8,}"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)|(?<=bearer )\S+",
    re.IGNORECASE,
)
_VALUE_MAX_CHARS = 2_000


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: hide values that are secrets by their name or by their form, and cut long ones."""
    for name, value in event.items():
        event[name] = _shown(name, value)
    return event


def _shown(name: str, value: Any) -> Any:
    if _SECRET_NAMES.search(name):
        return "[hidden]"
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _shown(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(name, item) for item in value]
    text = _SECRET_VALUES.sub("[hidden]", str(value))
    return text[-_VALUE_MAX_CHARS:] if name == "exception" else text[:_VALUE_MAX_CHARS]  # its end says what happened


def _serialise(event: MutableMapping[str, Any], **_: object) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


class _Lossy:
    """Standard error, but for what cannot be written: a full disk under the log must not stop what the log tells of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, or drop."""
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        """Pass on what is held, if it can be."""
        with suppress(OSError):
            self._stream.flush()


def is_pretty(settings: LogSettings) -> bool:
    """Whether logs are for a person at a terminal."""
    return settings.log_format == "pretty" or (settings.log_format == "auto" and sys.stderr.isatty())


def configure_logs(settings: LogSettings) -> None:
    """Set up structlog and the standard library's logging for this process. Logs go to standard error."""
    level = getattr(logging, settings.log_level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    pretty = is_pretty(settings)
    # Plain tracebacks: the default one prints local variables, and among them the headers with the key.
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(serializer=_serialise)
    )
    tail = [structlog.processors.format_exc_info, redact, renderer]
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Lossy(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared, *tail]
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
