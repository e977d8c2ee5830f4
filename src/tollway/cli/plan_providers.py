"""What makes the providers of a server, and their credentials, those of a declaration."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tollway.cli.change import HIDDEN, Action, Change, differences
from tollway.cli.client import ApiClient
from tollway.cli.declaration import Declaration, DeclaredProvider, DeclaredSecret
from tollway.cli.desk import given, path
from tollway.cli.provider_key import credential
from tollway.providers.registry import LOCAL
from tollway.services.provider_settings import clean_credential, credential_suffix

Row = Mapping[str, Any]
_ONLY_BY_PUT = ("spec", "dialect")
_SETTINGS = (*_ONLY_BY_PUT, "base_url", "price_provider", "declared_only", "options")


def providers(api: ApiClient, wanted: Declaration, folder: Path) -> Iterator[Change]:
    """The changes of providers.

    Args:
        api: the server.
        wanted: what is declared.
        folder: what relative paths of the declaration start from.

    Raises:
        CommandError: a key is not where the declaration says.
    """
    if wanted.providers is None:
        return
    present = {row["name"]: row for row in api.pages(path("providers"))}
    for declared in wanted.providers:
        yield from _provider(declared, present.get(declared.name), folder)
        yield from _credentials(api, declared, folder, is_new=declared.name not in present)
    for name in sorted(present.keys() - {declared.name for declared in wanted.providers}):
        if present[name]["spec"] != LOCAL.name:  # comes with the server, again at every start
            yield Change(Action.REMOVE, "provider", name, partial(ApiClient.delete, path=path("providers", name)))


def _provider(declared: DeclaredProvider, present: Row | None, folder: Path) -> Iterator[Change]:
    secret = _secret(declared, folder)
    fields = declared.model_dump(include=set(_SETTINGS), exclude_none=True)
    if declared.base_url:
        fields["base_url"] = declared.base_url.rstrip("/")
    if declared.models is not None:
        fields["models"] = sorted(declared.models)
    shown = differences(_with_sorted_models(present), fields)
    if secret and (present is None or not present["has_credential"] or _is_another(secret, present)):
        shown["credential"] = (HIDDEN if present and present["has_credential"] else None, HIDDEN)
    if present is None:
        body = given(name=declared.name, credential=secret, **fields)
        make = partial(ApiClient.post, path=path("providers"), body=body)
        yield Change(Action.CREATE, "provider", declared.name, make, shown)
    elif shown:
        yield Change(Action.CHANGE, "provider", declared.name, _changed(present, fields, secret), shown)


def _changed(present: Row, fields: Mapping[str, Any], secret: str | None) -> Callable[[ApiClient], Any]:
    """What changes a provider. All of it is said again only where another kind of provider is meant."""
    place = path("providers", present["name"])
    if any(name in fields and fields[name] != present[name] for name in _ONLY_BY_PUT):
        body = {name: present[name] for name in _SETTINGS} | dict(fields) | given(credential=secret)
        return partial(ApiClient.put, path=place, body=body)
    body = {name: value for name, value in fields.items() if name not in _ONLY_BY_PUT} | given(credential=secret)
    if "options" in body:
        body["options"] = dict.fromkeys(present["options"]) | body["options"]
    return partial(ApiClient.patch, path=place, body=body)


def _credentials(api: ApiClient, provider: DeclaredProvider, folder: Path, *, is_new: bool) -> Iterator[Change]:
    if provider.credentials is None:
        return
    place = path("providers", provider.name, "credentials")
    present = {row["name"]: row for row in (() if is_new else api.pages(place))}
    for declared in provider.credentials:
        secret = _secret(declared, folder)
        row = present.pop(declared.name, None)
        if secret and (row is None or _is_another(secret, row)):
            action = Action.CHANGE if row else Action.CREATE
            make = partial(ApiClient.put, path=f"{place}/{declared.name}", body={"credential": secret})
            shown = {"credential": (HIDDEN if row else None, HIDDEN)}
            yield Change(action, "credential", f"{provider.name}/{declared.name}", make, shown)
    for name in present:
        gone = partial(ApiClient.delete, path=f"{place}/{name}")
        yield Change(Action.REMOVE, "credential", f"{provider.name}/{name}", gone)


def _secret(declared: DeclaredSecret, folder: Path) -> str | None:
    return credential(declared.api_key_env, str(folder / declared.api_key_file) if declared.api_key_file else None)


def _with_sorted_models(row: Row | None) -> Row | None:
    return {**row, "models": sorted(row["models"])} if row else None


def _is_another(secret: str, present: Row) -> bool:
    """A stored key is never shown; its suffix tells whether it is this one."""
    suffix = present["credential_suffix"]
    return bool(suffix) and credential_suffix(clean_credential(secret)) != suffix
