"""Routes as people write them: in `tollway.yaml`, in a file of their own, or in options."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import msgspec
import yaml
from pydantic import ValidationError, model_validator

from tollway.api.admin.models.route import Route
from tollway.cli.failure import CommandError, usage_error
from tollway.routing import route as routing

_FILE_MAX_BYTES = 256 * 1024
_PARTS = ("canary", "shadow")
_USUAL_RETRY = msgspec.structs.asdict(routing.Retry())


class WrittenRoute(Route):
    """A route, or what is short for one.

    ``provider/model`` stands for a route with this target, and for a target of a route; ``target: provider/model``
    with more beside it does so too. Canary and shadow are targets without being listed.
    """

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, written: Any) -> Any:
        if isinstance(written, str):
            written = {"targets": [written]}
        if not isinstance(written, Mapping) or not isinstance(written.get("targets"), list):
            return written
        targets = [_target(item) for item in written["targets"]]
        names = [f"{item['provider']}/{item['model']}" for item in targets if _is_named(item)]
        for part in _PARTS:
            named = written.get(part)
            if isinstance(named, Mapping) and isinstance(named.get("target"), str) and named["target"] not in names:
                names.append(named["target"])
                targets.append(_target(named["target"]))
        return {**written, "targets": targets}

    @model_validator(mode="after")
    def _sense(self) -> Self:
        self.wanted.check()
        return self

    @property
    def body(self) -> dict[str, Any]:
        """As the API takes it."""
        route = self.wanted
        return {"target": route.name} if route.is_plain else {"route": self.model_dump(mode="json")}


def _target(written: Any) -> Any:
    if isinstance(written, Mapping) and "target" in written:
        rest = {name: value for name, value in written.items() if name != "target"}
        short = _target(written["target"])
        return {**short, **rest} if isinstance(short, Mapping) else written
    if not isinstance(written, str):
        return written
    provider, slash, model = written.partition("/")
    if not (provider and slash and model):
        raise ValueError(f"Write {written[:200]!r} as provider/model.")
    return {"provider": provider, "model": model}


def _is_named(target: Any) -> bool:
    return isinstance(target, Mapping) and "provider" in target and "model" in target


def present_route(row: Mapping[str, Any]) -> routing.Route:
    """The route of an alias as the API shows it."""
    if row["route"] is None:
        provider, _, model = row["target"].partition("/")
        return routing.direct(provider, model)
    return msgspec.convert(row["route"], routing.Route)


def route_facts(route: routing.Route) -> dict[str, Any]:
    """What is said of it, as a difference shows it: what is as usual is left out."""
    if route.is_plain:
        return {"target": route.name}
    facts: dict[str, Any] = msgspec.to_builtins(route)
    retry = {name: value for name, value in facts.pop("retry", {}).items() if value != _USUAL_RETRY[name]}
    return (
        facts | {"targets": [target_text(target) for target in facts["targets"]]} | ({"retry": retry} if retry else {})
    )


def target_text(target: Mapping[str, Any]) -> str:
    """A target on one line: ``provider/model (weight 3)``; what is as usual is left out."""
    usual = {"weight": 1, "priority": 0, "region": "", "capabilities": None, "context_tokens": 0}
    said = [
        f"{name} {', '.join(value) if isinstance(value, list) else value}"
        for name, value in target.items()
        if name not in {"provider", "model"} and value != usual.get(name)
    ]
    name = f"{target['provider']}/{target['model']}"
    return f"{name} ({', '.join(said)})" if said else name


def written_route(tree: Any, *, origin: str) -> WrittenRoute:
    """Check a route.

    Args:
        tree: as it was written.
        origin: where, for people.

    Raises:
        CommandError: it says something that cannot be; every place is named.
    """
    try:
        return WrittenRoute.model_validate(tree)
    except ValidationError as error:
        failure = usage_error(f"{origin} says what cannot be.", "Correct the places named above; nothing was changed.")
        failure.details = tuple(
            f"{'.'.join(map(str, item['loc'])) or 'the route'}: {item['msg']}" for item in error.errors()
        )
        raise failure from error


def route_of_file(file: Path) -> WrittenRoute:
    """Read a route from a YAML file.

    Raises:
        CommandError: it cannot be read, or says something that cannot be.
    """
    try:
        with file.open("rb") as source:
            tree = yaml.safe_load(source.read(_FILE_MAX_BYTES))
    except OSError as error:
        raise usage_error(f"{file} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise usage_error(f"{file} is not valid YAML: {error}") from error
    return written_route(tree, origin=str(file))


def by_target(given: Iterable[str], option: str) -> dict[str, float]:
    """Options of the form ``provider/model=number``.

    Raises:
        CommandError: one has not this form.
    """
    found: dict[str, float] = {}
    for text in given:
        target, sign, number = text.rpartition("=")
        try:
            found[target] = float(number) if sign else float("nan")
        except ValueError:
            sign = ""
        if not (sign and "/" in target):
            raise _misspelt(option, text)
    return found


def _misspelt(option: str, text: str) -> CommandError:
    return usage_error(f"{option} {text}: write PROVIDER/MODEL=NUMBER.")
