"""What makes the webhooks of a server those of a declaration."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tollway.cli.change import Action, Change, differences
from tollway.cli.client import ApiClient
from tollway.cli.declaration import Declaration
from tollway.cli.desk import path
from tollway.cli.secret_file import make_into_file


def webhooks(api: ApiClient, wanted: Declaration, folder: Path) -> Iterator[Change]:
    """The changes of webhooks."""
    if wanted.webhooks is None:
        return
    present = {row["name"]: row for row in api.pages(path("webhooks"))}
    for declared in wanted.webhooks:
        row = present.pop(declared.name, None)
        body = declared.model_dump(exclude={"secret_file"}, exclude_none=True)
        shown = differences(row, {name: value for name, value in body.items() if name != "name"})
        if row is None:
            file = folder / declared.secret_file if declared.secret_file else None
            yield Change(Action.CREATE, "webhook", declared.name, partial(_create, body, file), shown)
        elif shown:
            make = partial(ApiClient.patch, path=path("webhooks", declared.name), body=body)
            yield Change(Action.CHANGE, "webhook", declared.name, make, shown)
    for name in present:
        yield Change(Action.REMOVE, "webhook", name, partial(ApiClient.delete, path=path("webhooks", name)))


def _create(body: dict[str, Any], file: Path | None, api: ApiClient) -> Any:
    return make_into_file(file, "secret", lambda: api.post(path("webhooks"), body))
