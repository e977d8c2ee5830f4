"""What a `tollway.yaml` may declare, and how it is read."""

import re
import sys
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tollway.cli.failure import CommandError, usage_error
from tollway.cli.route_form import WrittenRoute
from tollway.identity.principal import Scope
from tollway.ledger.quota import EACH
from tollway.ledger.usage import KINDS
from tollway.ledger.window_text import WINDOW_PATTERN, period_of, window_text

FILE_MAX_BYTES = 1024 * 1024
_PROBLEMS_SHOWN = 20

Usd = Annotated[Decimal, Field(ge=0, lt=1_000_000, max_digits=18, decimal_places=12)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Target = Annotated[str, Field(pattern="^[^/]+/.+$")]


class Declared(BaseModel):
    """An unknown name is an error, so that a typing error never passes silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DeclaredSecret(Declared):
    """Where a credential is found: never in the file itself."""

    name: str
    api_key_env: str | None = Field(None, description="Environment variable of `tollway apply` that holds its API key.")
    api_key_file: Path | None = Field(None, description="File that holds it; relative to this file.")

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.api_key_env and self.api_key_file:
            raise ValueError("Give api_key_env or api_key_file, not both.")
        return self


class DeclaredCredential(DeclaredSecret):
    """A further credential of a provider, which takes turns with its own."""

    @model_validator(mode="after")
    def _some_key(self) -> Self:
        if not (self.api_key_env or self.api_key_file):
            raise ValueError("Give api_key_env or api_key_file.")
        return self


class DeclaredProvider(DeclaredSecret):
    """A provider. What is left out stays as it is, or as Tollway knows the provider."""

    spec: str | None = None
    dialect: str | None = None
    base_url: str | None = None
    price_provider: str | None = None
    declared_only: bool | None = None
    models: list[str] | None = None
    options: dict[str, str] | None = None
    credentials: list[DeclaredCredential] | None = None


class DeclaredKey(Declared):
    """A key of a project: created if no live key has this name, else left alone."""

    name: str
    scopes: list[Scope] | None = None
    allowed_models: list[str] | None = None
    expires_at: AwareDatetime | None = None
    file: Path | None = Field(None, description="Write the new key there (mode 0600) instead of printing it.")


class DeclaredProject(Declared):
    """A project."""

    name: str
    allow_unpriced: bool | None = None
    clamp_output: bool | None = None
    default_output_tokens: int | None = Field(None, ge=1)
    drop_unsupported: bool | None = None
    store_content: Literal["none", "metadata", "full"] | None = None
    retention_days: int | None = Field(None, ge=1)
    cache_ttl_s: int | None = Field(None, ge=0)
    cache_max_bytes: int | None = Field(None, ge=0)
    cache_single_flight: bool | None = None
    aliases: dict[str, WrittenRoute] | None = None
    keys: list[DeclaredKey] | None = None


class DeclaredTier(Declared):
    """A price for requests with more input tokens than `above`."""

    above: int = Field(ge=0)
    usd_per_million: Usd


class DeclaredPrice(Declared):
    """A price over the base book; USD per million tokens."""

    model: Target
    rates: dict[str, Usd] = Field(min_length=1)
    tiers: dict[str, list[DeclaredTier]] = {}
    valid_from: AwareDatetime | None = None
    valid_to: AwareDatetime | None = None
    source: str = ""
    note: str = ""

    @field_validator("rates", "tiers")
    @classmethod
    def _known_kinds(cls, rates: dict[str, Any]) -> dict[str, Any]:
        if unknown := set(rates) - set(KINDS):
            raise ValueError(f"Not a kind of usage: {', '.join(sorted(unknown))}. There are: {', '.join(KINDS)}.")
        return rates

    @property
    def identity(self) -> str:
        """Two prices of one model differ in when they begin."""
        return (
            f"{self.model} from {self.valid_from.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if self.valid_from else self.model
        )


class DeclaredTag(Declared):
    """A tag that requests have; without a value: any."""

    name: str
    value: str | None = None


class DeclaredScope(Declared):
    """Whom a budget or limit is for; nothing: the whole organization."""

    project: str | None = None
    key: str | None = Field(None, description="Name of a key of the project.")
    user: str | None = None
    tag: DeclaredTag | None = None
    provider: str | None = None
    model: str | None = None
    each: list[str] = []

    @model_validator(mode="after")
    def _key_of_project(self) -> Self:
        if self.key and not self.project:
            raise ValueError("Name the project of the key.")
        return self

    @property
    def scope(self) -> dict[str, Any]:
        """As the API takes it."""
        return self.model_dump(include=set(DeclaredScope.model_fields), exclude_none=True)

    @property
    def scope_shown(self) -> dict[str, Any]:
        """As the API shows it."""
        return self.model_dump(include=set(DeclaredScope.model_fields)) | {
            "each": [dimension for dimension in EACH if dimension in self.each]
        }


class DeclaredBudget(DeclaredScope):
    """A budget. What is left out stays as it is, or gets its default."""

    window: str
    limit_usd: Annotated[Decimal, Field(ge=0, lt=10**12, max_digits=24, decimal_places=12)]
    mode: Literal["hard", "soft"] | None = None
    strict: bool | None = None
    thresholds: list[int] | None = None
    paused: bool | None = None

    @field_validator("window")
    @classmethod
    def _one_text(cls, window: str) -> str:
        if not re.fullmatch(WINDOW_PATTERN, window):
            raise ValueError("Write total, hour, day, week, month, or rolling: with a length, as in rolling:24h.")
        return window_text(*period_of(window))

    @property
    def settings(self) -> dict[str, Any]:
        """What is said of it, as the API takes and shows it."""
        said = self.model_dump(include={"mode", "strict", "thresholds", "paused"}, exclude_none=True)
        return {"limit_usd": f"{self.limit_usd.normalize():f}", **said}


class DeclaredLimits(DeclaredScope):
    """Rate limits of one scope, one for each amount that is given."""

    requests_per_second: Count | None = None
    requests_per_minute: Count | None = None
    requests_per_hour: Count | None = None
    requests_per_day: Count | None = None
    tokens_per_second: Count | None = None
    tokens_per_minute: Count | None = None
    tokens_per_hour: Count | None = None
    tokens_per_day: Count | None = None
    input_tokens_per_second: Count | None = None
    input_tokens_per_minute: Count | None = None
    input_tokens_per_hour: Count | None = None
    input_tokens_per_day: Count | None = None
    output_tokens_per_second: Count | None = None
    output_tokens_per_minute: Count | None = None
    output_tokens_per_hour: Count | None = None
    output_tokens_per_day: Count | None = None
    parallel: Count | None = None
    queue_s: float | None = Field(None, ge=0, le=60)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.amounts:
            raise ValueError("Give at least one limit, for instance requests_per_minute.")
        return self

    @property
    def amounts(self) -> dict[tuple[str, str | None], int]:
        """Unit and window → the limit."""
        given = self.model_dump(exclude=set(DeclaredScope.model_fields) | {"queue_s"}, exclude_none=True)
        parts = {name: name.partition("_per_") for name in given}
        return {(unit, window or None): given[name] for name, (unit, _, window) in parts.items()}


class DeclaredWebhook(Declared):
    """A webhook. Its secret is made by the server: it is written to `secret_file`, or printed, once."""

    name: str
    url: str
    events: list[str] | None = None
    enabled: bool | None = None
    secret_file: Path | None = Field(None, description="Write the secret of a new one there (mode 0600).")


class DeclaredSettings(Declared):
    """Settings of the organization."""

    time_zone: str | None = None
    serve_without_database: bool | None = None


class Declaration(Declared):
    """The whole file. A section that is left out is not touched, not even by ``--prune``."""

    organization: str | None = None
    settings: DeclaredSettings | None = None
    providers: list[DeclaredProvider] | None = None
    projects: list[DeclaredProject] | None = None
    prices: list[DeclaredPrice] | None = None
    budgets: list[DeclaredBudget] | None = None
    limits: list[DeclaredLimits] | None = None
    webhooks: list[DeclaredWebhook] | None = None

    @model_validator(mode="after")
    def _no_doubles(self) -> Self:
        _check_unique("providers", [item.name for item in self.providers or ()])
        _check_unique("projects", [item.name for item in self.projects or ()])
        _check_unique("prices", [item.identity for item in self.prices or ()])
        _check_unique("webhooks", [item.name for item in self.webhooks or ()])
        for provider in self.providers or ():
            _check_unique(f"credentials of {provider.name}", [item.name for item in provider.credentials or ()])
        for project in self.projects or ():
            _check_unique(f"keys of {project.name}", [item.name for item in project.keys or ()])
        return self


def _check_unique(section: str, names: list[str]) -> None:
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise ValueError(f"Declared twice in {section}: {', '.join(doubles)}.")


def load_declaration(file: str) -> Declaration:
    """Read and check a file; ``-`` is stdin.

    Raises:
        CommandError: it cannot be read, or says something that cannot be; every place is named.
    """
    shown = "stdin" if file == "-" else file
    try:
        if file == "-":
            text = sys.stdin.buffer.read(FILE_MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as source:
                text = source.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise usage_error(f"{shown} cannot be read: {error.strerror}.") from error
    if len(text) > FILE_MAX_BYTES:
        raise usage_error(f"{shown} has more than {FILE_MAX_BYTES} bytes.")
    try:
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise usage_error(f"{shown} is not valid YAML: {error}") from error
    try:
        return Declaration.model_validate(tree if tree is not None else {})
    except ValidationError as error:
        raise _told(shown, error) from error


def _told(shown: str, error: ValidationError) -> CommandError:
    """Which places are at fault, without the values: one of them may be a secret that was put in the wrong place."""
    details = [f"{_place(item['loc'])}: {item['msg']}" for item in error.errors()[:_PROBLEMS_SHOWN]]
    failure = usage_error(f"{shown} declares what cannot be.", "Correct the places named above; nothing was changed.")
    failure.details = tuple(details)
    return failure


def _place(location: tuple[str | int, ...]) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return place.removeprefix(".") or "the file"
