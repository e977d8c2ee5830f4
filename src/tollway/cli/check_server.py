"""Checks of the running server and of the providers it is to reach."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from tollway import __version__
from tollway.cli.check import Finding, Level, graded
from tollway.cli.client import ApiClient, not_tollway, probe
from tollway.cli.desk import path
from tollway.cli.endpoint import Endpoint
from tollway.cli.failure import CommandError, ExitCode
from tollway.providers.registry import OPENAI_COMPATIBLE, REGISTRY
from tollway.providers.sign_in.identity import CREDENTIAL, mode_of
from tollway.providers.sign_in.libraries import LIBRARIES, missing_library

SERVER, PROVIDERS = "server", "providers"
_PROBES_AT_ONCE = 8
_PROVIDERS_MAX = 100


def answers(endpoint: Endpoint) -> bool:
    """Whether a Tollway answers there."""
    with ApiClient(endpoint) as api:
        try:
            return bool(_version(api))
        except CommandError:
            return False


def server(endpoint: Endpoint) -> Iterator[Finding]:
    """Whether it answers, is of this version, and ready."""
    with ApiClient(endpoint) as api:
        try:
            version = _version(api)
        except CommandError as error:
            runs_not = error.exit_code is ExitCode.NO_SERVER
            yield Finding(SERVER, "answers", Level.WARN if runs_not else Level.FAIL, error.message, error.next_step)
            return
        yield graded(
            SERVER,
            "answers",
            f"{endpoint.url}, version {version}",
            warn=version != __version__,
            advice=f"This command is of version {__version__}: restart the server, or use its own command.",
        )
        yield from _readiness(api)


def _version(api: ApiClient) -> str:
    """The server's version.

    Raises:
        CommandError: nothing answers, or something that is not Tollway.
    """
    told = api.get("/healthz")
    if not isinstance(told, dict) or "version" not in told:
        raise not_tollway(api.url)
    return str(told["version"])


def _readiness(api: ApiClient) -> Iterator[Finding]:
    try:
        told = api.get("/readyz")
    except CommandError as error:
        yield Finding(SERVER, "ready", Level.FAIL, error.message, error.next_step or "See the server's log.")
        return
    for name, fault in told["checks"].items():
        yield graded(SERVER, name, fault or "well", warn=bool(fault), advice="See the server's log.")


def providers(endpoint: Endpoint) -> Iterator[Finding]:
    """Whether each registered provider can be reached from this machine.

    Credentials stay in the server: an answer without one, even a refusal, shows that the way is open.
    """
    if endpoint.key is None:
        yield Finding(PROVIDERS, "list", Level.SKIP, "no key for the server", "Set TOLLWAY_API_KEY.")
        return
    with ApiClient(endpoint) as api:
        try:
            rows = list(api.pages(path("providers"), limit=_PROVIDERS_MAX))
        except CommandError as error:
            yield Finding(PROVIDERS, "list", Level.SKIP, error.message, error.next_step)
            return
    if not rows:
        yield Finding(
            PROVIDERS, "list", Level.WARN, "none is registered", "`tollway providers add NAME --api-key-env VAR`."
        )
    with ThreadPoolExecutor(_PROBES_AT_ONCE) as pool:
        for sign_in, answer in zip(map(_sign_in, rows), pool.map(_provider, rows), strict=True):
            yield from sign_in
            yield answer


def _sign_in(row: Mapping[str, Any]) -> list[Finding]:
    """What is missing here to sign in to a cloud."""
    spec = REGISTRY.get(str(row["spec"]), OPENAI_COMPATIBLE)
    cloud = missing_library(spec, row["options"])
    if cloud is None:
        return []
    found = f"its sign-in needs {LIBRARIES[cloud]}, which is not installed here"
    advice = f"`pip install 'tollway[{cloud}]'` on the machine of the server."
    return [Finding(PROVIDERS, f"{row['name']} sign-in", Level.WARN, found, advice)]


def _provider(row: Mapping[str, Any]) -> Finding:
    name, url = str(row["name"]), str(row["base_url"])
    try:
        status = probe(f"{url}/models")
    except CommandError as error:
        return Finding(PROVIDERS, name, Level.FAIL, f"{url}: {error.message}", error.next_step)
    refused = status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    if refused and not row["has_credential"] and mode_of(row["options"]) == CREDENTIAL:
        advice = f"It wants a key: `tollway providers update {name} --api-key-env VAR`."
        return Finding(PROVIDERS, name, Level.FAIL, f"{url} refuses, and no key is stored", advice)
    return graded(
        PROVIDERS,
        name,
        f"{url} answers ({status}{', the stored key was not tried' if refused else ''})",
        warn=status >= HTTPStatus.INTERNAL_SERVER_ERROR,
        advice="The provider has a fault of its own; look at its status page.",
    )
