"""What can be set of a provider, and what follows from the registry where nothing is said."""

import hashlib
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from tollway.errors import UnprocessableError
from tollway.providers.registry import OPENAI_COMPATIBLE, REGISTRY, ProviderSpec

CREDENTIAL_MAX_CHARS = 16_384
"""Room for the documents of clouds; a service account's has about 2,400 characters."""
_SUFFIX_CHARS = 4
_SUFFIX_MIN_CREDENTIAL_CHARS = 16
"""Of a shorter credential the last four characters would give away too much."""


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; ``None`` is the default of the registry, or what was there before.

    Attributes:
        spec: a row of the registry; default: the row of the provider's own name, else `openai_compatible`.
        dialect: the wire format.
        base_url: where the API lives.
        credential: the secret; ``None`` keeps the present one. `repr` hides it.
        price_provider: name in the price book.
        declared_only: whether only declared models may be asked for.
        models: the declared models; ``None`` keeps the present ones.
        options: what its kind takes besides; where a provider is changed, only these change, and ``None`` takes one
            away.
    """

    spec: str | None = None
    dialect: str | None = None
    base_url: str | None = None
    credential: str | None = None
    price_provider: str | None = None
    declared_only: bool | None = None
    models: list[str] | None = None
    options: Mapping[str, str | None] | None = None

    def __repr__(self) -> str:
        return f"ProviderSettings(spec={self.spec!r}, base_url={self.base_url!r})"


def spec_of(name: str, settings: ProviderSettings) -> ProviderSpec:
    """The registry's row for a provider: the one it names, that of its own name, or that of its dialect.

    Raises:
        UnprocessableError: there is no such row.
    """
    if settings.spec is None:
        own = REGISTRY.get(name)
        return own or _speaker_of(settings.dialect or OPENAI_COMPATIBLE.dialect)
    if settings.spec not in REGISTRY:
        raise UnprocessableError(
            f"The registry has no provider {settings.spec!r}.",
            next_step=f"Use one of {', '.join(sorted(REGISTRY))}.",
            param="spec",
        )
    return REGISTRY[settings.spec]


def _speaker_of(dialect: str) -> ProviderSpec:
    """The row that stands for any server of a dialect."""
    if dialect == OPENAI_COMPATIBLE.dialect:
        return OPENAI_COMPATIBLE
    known = {row.dialect for row in REGISTRY.values()}
    if dialect not in REGISTRY or REGISTRY[dialect].dialect != dialect:
        raise UnprocessableError(
            f"Tollway does not know a provider by the dialect {dialect!r} alone.",
            next_step=f"Name its `spec`. Dialects that are spoken: {', '.join(sorted(known))}.",
            param="dialect",
        )
    return REGISTRY[dialect]


def dialect_of(spec: ProviderSpec, settings: ProviderSettings) -> str:
    """The wire format.

    Raises:
        UnprocessableError: it is another one than the provider's.
    """
    if settings.dialect not in {None, spec.dialect}:
        raise UnprocessableError(
            f"A provider of the kind {spec.name!r} speaks the dialect {spec.dialect!r}, not {settings.dialect!r}.",
            next_step="Leave `dialect` out, or name another `spec`.",
            param="dialect",
        )
    return spec.dialect


def clean_credential(credential: str) -> str:
    """The credential without blanks around it (a file's last newline), fit for a header.

    A JSON object (a cloud's service account or keys) may be written on many lines; it is kept on one.

    Raises:
        UnprocessableError: it is empty, too long, or has characters that no header takes. It is not shown.
    """
    stripped = credential.strip()
    if stripped.startswith("{") and len(stripped) <= CREDENTIAL_MAX_CHARS:
        stripped = _on_one_line(stripped)
    if not stripped or len(stripped) > CREDENTIAL_MAX_CHARS or not (stripped.isascii() and stripped.isprintable()):
        raise UnprocessableError(
            "The credential is empty, too long, or has characters that no header takes.",
            next_step="Send it as the provider shows it: a key, or a JSON document.",
            param="credential",
        )
    return stripped


def _on_one_line(document: str) -> str:
    try:
        return json.dumps(json.loads(document), separators=(",", ":"))
    except (ValueError, RecursionError):  # not JSON after all: it must be fit for a header as it is
        return document


def credential_suffix(credential: str) -> str:
    """What to recognise a credential by: its end, of a JSON document that of its hash; empty for a short one."""
    if len(credential) < _SUFFIX_MIN_CREDENTIAL_CHARS:
        return ""
    shown = hashlib.sha256(credential.encode()).hexdigest() if credential.startswith("{") else credential
    return shown[-_SUFFIX_CHARS:]


def same_host(one: str, other: str) -> bool:
    """Whether two addresses lead to the same scheme, host and port."""
    first, second = urlsplit(one), urlsplit(other)
    return (first.scheme, first.netloc.lower()) == (second.scheme, second.netloc.lower())
