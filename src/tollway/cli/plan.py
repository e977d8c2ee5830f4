"""From a declaration and what a server has to the list of changes that make the one out of the other."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from tollway.cli.change import Action, Change, differences
from tollway.cli.client import ApiClient
from tollway.cli.declaration import (
    Declaration,
    DeclaredKey,
    DeclaredPrice,
    DeclaredProject,
)
from tollway.cli.desk import path
from tollway.cli.plan_providers import providers
from tollway.cli.plan_quotas import budgets, limits
from tollway.cli.plan_webhooks import webhooks
from tollway.cli.route_form import present_route, route_facts
from tollway.cli.secret_file import make_into_file

Row = Mapping[str, Any]
_PROJECT_SETTINGS = [name for name in DeclaredProject.model_fields if name not in {"name", "aliases", "keys"}]
_IN_THE_PATH = {"organization": None}
"""An organization is named by its path, not by the query as for everything else."""


def plan(api: ApiClient, wanted: Declaration, folder: Path, *, prune: bool) -> list[Change]:
    """Every change, in an order in which each finds what it needs.

    Args:
        api: the server.
        wanted: what is declared.
        folder: what relative paths of the declaration start from.
        prune: whether to remove what is not declared, in the sections that are there.

    Raises:
        CommandError: a provider's key is not where the declaration says.
    """
    made: list[Change] = []
    removed: list[Change] = []
    sections = (
        _settings(api, wanted),
        providers(api, wanted, folder),
        _prices(api, wanted),
        _projects(api, wanted, folder, prune=prune),
        budgets(api, wanted),
        limits(api, wanted),
        webhooks(api, wanted, folder),
    )
    for section in sections:
        for change in section:
            (removed if change.action is Action.REMOVE else made).append(change)
    if not prune:
        return made
    # What points to another thing goes before it.
    order = ("webhook", "budget", "limit", "alias", "key", "price", "project", "credential", "provider")
    return made + sorted(removed, key=lambda change: order.index(change.noun))


def _settings(api: ApiClient, wanted: Declaration) -> Iterator[Change]:
    if wanted.settings is None:
        return
    name = wanted.organization or api.get(path("me"))["organization_id"]
    row = api.get(path("organizations", name), _IN_THE_PATH)
    fields = wanted.settings.model_dump(exclude_none=True)
    if shown := differences(row, fields):
        make = partial(_patch_organization, row["id"], fields)
        yield Change(Action.CHANGE, "organization", row["name"], make, shown)


def _patch_organization(organization_id: str, fields: dict[str, Any], api: ApiClient) -> Any:
    return api.call("PATCH", path("organizations", organization_id), query=_IN_THE_PATH, body=fields)


def _prices(api: ApiClient, wanted: Declaration) -> Iterator[Change]:
    if wanted.prices is None:
        return
    present = {
        (row["name"], _instant(row["valid_from"])): row
        for row in api.pages(path("price-overrides"))
        if row["organization_id"] is not None
    }
    for declared in wanted.prices:
        row = present.pop((declared.model, declared.valid_from), None)
        body = _price_body(declared)
        shown = differences(_comparable_price(row), _comparable_price(body) or {})
        if shown:
            action = Action.CHANGE if row else Action.CREATE
            make = partial(ApiClient.put, path=path("prices", declared.model), body=body)
            yield Change(action, "price", declared.identity, make, shown)
    for row in present.values():
        name = f"{row['name']} from {row['valid_from']}" if row["valid_from"] else row["name"]
        yield Change(Action.REMOVE, "price", name, partial(ApiClient.delete, path=path("price-overrides", row["id"])))


def _price_body(declared: DeclaredPrice) -> dict[str, Any]:
    body = declared.model_dump(mode="json", exclude={"model"}, exclude_none=True)
    body["rates"] = {kind: f"{usd:f}" for kind, usd in declared.rates.items()}
    body["tiers"] = {
        kind: [{"above": tier.above, "usd_per_million": f"{tier.usd_per_million:f}"} for tier in tiers]
        for kind, tiers in declared.tiers.items()
    }
    return body


def _comparable_price(price: Row | None) -> dict[str, Any] | None:
    """Two texts of one number are one price: 2.5 and 2.50."""
    if price is None:
        return None
    until = _instant(price.get("valid_to"))
    return {
        "rates": {kind: _plain(usd) for kind, usd in price["rates"].items()},
        "tiers": {
            kind: [f"{_plain(tier['usd_per_million'])} above {tier['above']}" for tier in tiers]
            for kind, tiers in price["tiers"].items()
        },
        "valid_to": until.isoformat() if until else "",
        "source": price["source"],
        "note": price["note"],
    }


def _plain(usd: str) -> str:
    return f"{Decimal(usd).normalize():f}"


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _projects(api: ApiClient, wanted: Declaration, folder: Path, *, prune: bool) -> Iterator[Change]:
    if wanted.projects is None:
        return
    present = {row["name"]: row for row in api.pages(path("projects"))}
    for declared in wanted.projects:
        row = present.get(declared.name)
        fields = declared.model_dump(include=set(_PROJECT_SETTINGS), exclude_none=True)
        shown = differences(row, fields)
        if row is None or shown:
            kept = {name: row[name] for name in _PROJECT_SETTINGS} if row else {}
            make = partial(ApiClient.put, path=path("projects", declared.name), body=kept | fields)
            yield Change(Action.CHANGE if row else Action.CREATE, "project", declared.name, make, shown)
        yield from _aliases(api, declared, is_new=row is None)
        yield from _keys(api, declared, folder, is_new=row is None)
    for name in sorted(present.keys() - {declared.name for declared in wanted.projects}) if prune else ():
        yield from _aliases(api, DeclaredProject(name=name, aliases={}), is_new=False)
        yield Change(Action.REMOVE, "project", name, partial(ApiClient.delete, path=path("projects", name)))


def _aliases(api: ApiClient, project: DeclaredProject, *, is_new: bool) -> Iterator[Change]:
    if project.aliases is None:
        return
    rows = () if is_new else api.pages(path("aliases"), {"project": project.name})
    present = {row["name"]: row for row in rows}
    for name, declared in project.aliases.items():
        row = present.pop(name, None)
        before, after = row and present_route(row), declared.wanted
        if before != after:
            had, has = route_facts(before) if before else {}, route_facts(after)
            shown = {field: (had.get(field), has.get(field)) for field in had | has if had.get(field) != has.get(field)}
            make = partial(ApiClient.put, path=path("aliases", project.name, name), body=declared.body)
            yield Change(Action.CHANGE if row else Action.CREATE, "alias", f"{project.name}/{name}", make, shown)
    for name in present:
        make_gone = partial(ApiClient.delete, path=path("aliases", project.name, name))
        yield Change(Action.REMOVE, "alias", f"{project.name}/{name}", make_gone)


def _keys(api: ApiClient, project: DeclaredProject, folder: Path, *, is_new: bool) -> Iterator[Change]:
    if project.keys is None:
        return
    rows = () if is_new else api.pages(path("keys"), {"project": project.name})
    present = {row["name"]: row for row in rows}
    for declared in project.keys:
        if present.pop(declared.name, None) is None:
            yield _key(project.name, declared, folder)
    for row in present.values():
        make = partial(ApiClient.post, path=path("keys", row["id"], "revoke"))
        yield Change(Action.REMOVE, "key", f"{project.name}/{row['name']}", make)


def _key(project: str, declared: DeclaredKey, folder: Path) -> Change:
    file = folder / declared.file if declared.file else None
    body = declared.model_dump(mode="json", exclude={"file"}, exclude_none=True) | {"project": project}
    shown = differences(None, {name: value for name, value in body.items() if name not in {"name", "project"}})
    return Change(Action.CREATE, "key", f"{project}/{declared.name}", partial(_make_key, body, file), shown)


def _make_key(body: dict[str, Any], file: Path | None, api: ApiClient) -> Any:
    return make_into_file(file, "key", lambda: api.post(path("keys"), body))
