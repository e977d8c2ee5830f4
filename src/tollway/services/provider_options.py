"""The options of a provider: what its kind takes stands in the registry, and what follows for its address."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from tollway.errors import UnprocessableError
from tollway.providers.registry import OptionSpec, ProviderSpec
from tollway.providers.spec import COMMON_OPTIONS

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""What may become a part of a host's name: nothing that could make it another host."""


def check_options(spec: ProviderSpec, options: Mapping[str, str]) -> dict[str, str]:
    """The options by name, if the kind takes them.

    Raises:
        UnprocessableError: one is not known, has a value that it cannot have, or is missing.
    """
    known = {option.name: option for option in (*spec.options, *COMMON_OPTIONS)}
    for name, value in options.items():
        if name not in known:
            raise _unusable(f"{spec.title} takes no option {name!r}.", _known_text(spec), name)
        _check_value(spec, known[name], value)
    for option in spec.options:
        if option.required and not option.default and option.name not in options:
            raise _unusable(f"{spec.title} needs the option {option.name!r}.", option.description, option.name)
    return dict(sorted(options.items()))


def _check_value(spec: ProviderSpec, option: OptionSpec, value: str) -> None:
    if option.choices and value not in option.choices:
        raise _unusable(
            f"{option.name!r} cannot be {value!r}.", f"Use one of {', '.join(option.choices)}.", option.name
        )
    if f"{{{option.name}}}" in spec.base_url and not _LABEL.fullmatch(value):
        raise _unusable(
            f"{option.name!r} becomes a part of the address, where {value!r} cannot stand.",
            option.description,
            option.name,
        )


def _known_text(spec: ProviderSpec) -> str:
    options = (*spec.options, *COMMON_OPTIONS)
    return "It takes " + ", ".join(f"`{option.name}` ({option.description})" for option in options) + "."


def _unusable(message: str, next_step: str, name: str) -> UnprocessableError:
    return UnprocessableError(message, next_step=next_step, param=f"options.{name[:64]}")


def with_defaults(spec: ProviderSpec, options: Mapping[str, str]) -> dict[str, str]:
    """The options as they hold."""
    return {option.name: option.default for option in spec.options if option.default} | dict(options)


def usual_base_url(spec: ProviderSpec, options: Mapping[str, str]) -> str:
    """The kind's own address for these options; empty if every installation has its own."""
    values = with_defaults(spec, options)
    url = spec.base_url
    for option in spec.options:
        value, place = values.get(option.name, ""), f"{{{option.name}}}"
        host = dict(option.hosts).get(value)
        if host is not None and place in url:
            url = urlsplit(url)._replace(netloc=host).geturl()
        url = url.replace(place, value)
    return url


def changed_options(before: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """The options after a change; ``None`` takes one away."""
    return {name: value for name, value in (dict(before) | dict(changes)).items() if value is not None}
