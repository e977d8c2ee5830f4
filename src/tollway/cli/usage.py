"""`tollway usage`."""

from enum import StrEnum
from typing import Annotated

import typer

from tollway.cli.desk import AnyKey, AnyProject, Desk, connected, path
from tollway.cli.moment import Since, Until, instant
from tollway.cli.output import print_json, remark
from tollway.cli.table import Column, print_table

app = typer.Typer(add_completion=False)

FIGURES: tuple[Column, ...] = (
    ("REQUESTS>", "requests"),
    ("ERRORS>", "errors"),
    ("UNPRICED>", "unpriced"),
    ("ESTIMATED>", "estimated"),
    ("TOKENS IN>", "input_tokens"),
    ("TOKENS OUT>", "output_tokens"),
    ("USD>", "charge_usd"),
)


class Group(StrEnum):
    """What sums are told apart by."""

    PROJECT = "project"
    KEY = "key"
    MODEL = "model"
    PROVIDER = "provider"
    TAG = "tag"
    DAY = "day"
    HOUR = "hour"


@connected(app)
def usage(
    desk: Desk,
    *,
    by: Annotated[list[Group] | None, typer.Option("--by", help="Tell apart by this; repeat for several.")] = None,
    project: AnyProject = None,
    key: AnyKey = None,
    model: Annotated[str | None, typer.Option("--model", help="Only of this provider/model.")] = None,
    provider: Annotated[str | None, typer.Option("--provider", help="Only of this provider.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Only with this tag: name, or name=value.")] = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Sum requests, tokens and charges."""
    groups = [group.value for group in by or ()]
    query = {
        "group_by": groups,
        "project": project,
        "key": key,
        "model": model,
        "provider": provider,
        "tag": tag,
        "since": instant(since),
        "until": instant(until),
    }
    answer = desk.api.get(path("usage"), query)
    if desk.as_json:
        print_json(answer)
        return
    columns = tuple((group.upper(), group) for group in groups)
    total = {**answer["total"], **({groups[0]: "total"} if groups else {})}
    print_table([*answer["data"], total], columns + FIGURES, empty="")
    if answer["total"]["unpriced"]:
        remark("Unpriced requests are charged only as far as prices are known: `tollway prices set`.")
