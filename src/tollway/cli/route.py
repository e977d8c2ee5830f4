"""`tollway route`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from tollway.cli.desk import DEFAULT_PROJECT, Desk, Project, connected, given, pairs, path
from tollway.cli.moment import Since, Until, instant
from tollway.cli.output import print_json, remark
from tollway.cli.table import Column, print_table
from tollway.routing.route import Capability

app = typer.Typer(no_args_is_help=True, add_completion=False)

ATTEMPTS: tuple[Column, ...] = (
    ("#>", "number"),
    ("TARGET", "target"),
    ("WHY", "reason"),
    ("BREAKER", "breaker"),
    ("FIRST TOKEN MS>", "first_token_ms"),
    ("EXPECTED MS>", "expected_ms"),
    ("FAILED>", "failed"),
    ("RUNNING>", "in_flight"),
    ("EXPECTED USD>", "expected_usd"),
    ("KEYS>", "keys"),
)
LEFT_OUT: tuple[Column, ...] = (("NOT ASKED", "target"), ("WHY", "reason"))
REPORT: tuple[Column, ...] = (
    ("TARGET", "target"),
    ("ROLE", "role"),
    ("REQUESTS>", "requests"),
    ("ERRORS>", "errors"),
    ("FAILED ATTEMPTS>", "failed_attempts"),
    ("USD>", "charge_usd"),
    ("USD A REQUEST>", "charge_usd_per_request"),
    ("FIRST BYTE MS P50>", "first_byte_ms.p50"),
    ("P95>", "first_byte_ms.p95"),
    ("TOTAL MS P50>", "duration_ms.p50"),
    ("P95>", "duration_ms.p95"),
)
Tag = Annotated[list[str] | None, typer.Option("--tag", metavar="NAME=VALUE", help="A tag of the request; repeat.")]


@connected(app)
def explain(
    desk: Desk,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="As a caller names it: an alias, or provider/model.")],
    *,
    project: Project = DEFAULT_PROJECT,
    key: Annotated[str | None, typer.Option("--key", help="Name or id of the API key.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="The end user.")] = None,
    tag: Tag = None,
    stream: Annotated[bool, typer.Option("--stream", help="A stream is asked for.")] = False,
    needs: Annotated[list[Capability] | None, typer.Option("--needs", help="What it needs; repeat.")] = None,
    input_tokens: Annotated[int | None, typer.Option("--input-tokens", min=0, help="Of the prompt.")] = None,
    input_bytes: Annotated[int | None, typer.Option("--input-bytes", min=0, help="Of the body instead.")] = None,
    output_tokens: Annotated[int | None, typer.Option("--output-tokens", min=0, help="Of the answer.")] = None,
    conversation: Annotated[str | None, typer.Option("--conversation", help="What its conversation is named.")] = None,
    surface: Annotated[str | None, typer.Option("--surface", help="What is called; default: chat.")] = None,
) -> None:
    """Say which deployments a request would be sent to, in which order, and why."""
    body = given(
        model=model,
        project=project,
        key=key,
        user=user,
        tags=pairs(tag or (), "--tag"),
        stream=stream or None,
        needs=needs or None,
        input_tokens=input_tokens,
        input_bytes=input_bytes,
        output_tokens=output_tokens,
        conversation=conversation,
        surface=surface,
    )
    found = desk.api.post(path("route", "explain"), body)
    if desk.as_json:
        print_json(found)
        return
    attempts = [_attempt(number, row) for number, row in enumerate(found["attempts"], 1)]
    print_table(attempts, ATTEMPTS, empty="Nobody would be asked.")
    if found["left_out"]:
        print_table(found["left_out"], LEFT_OUT, empty="")
    remark(_words(found))


def _attempt(number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    resting = f", {row['credentials_resting']} rest" if row["credentials_resting"] else ""
    rounded = {name: None if row[name] is None else round(row[name]) for name in ("first_token_ms", "expected_ms")}
    shown = {"number": number, "failed": f"{row['error_rate']:.0%}", "keys": f"{row['credentials']}{resting}"}
    return dict(row) | rounded | shown


def _words(found: Mapping[str, Any]) -> str:
    """What holds for the whole request."""
    parts = [f"Strategy {found['strategy']}" if found["is_alias"] else "Asked for directly"]
    parts.append(f"at the most {found['attempts_max']} attempts")
    if found["sticky"] != "none":
        parts.append(f"sticky by {found['sticky']}")
    parts += [f"{name} {found[name]}" for name in ("rule", "hedged", "shadow") if found[name]]
    if found["timeout_s"] is not None:
        parts.append(f"within {found['timeout_s']:g} s")
    return ", ".join(parts) + "."


@connected(app)
def report(
    desk: Desk,
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="As callers wrote it.")],
    *,
    project: Project = DEFAULT_PROJECT,
    since: Since = None,
    until: Until = None,
) -> None:
    """Compare the targets of an alias by cost, latency and errors; of the last seven days, unless told otherwise."""
    query = {"alias": alias, "project": project, "since": instant(since), "until": instant(until)}
    found = desk.api.get(path("route", "report"), query)
    if desk.as_json:
        print_json(found)
        return
    print_table(found["data"], REPORT, empty=f"Nothing was asked as {alias} in that time.")
    if not found["whole"]:
        remark(f"Only of the newest {found['entries']} requests: give a shorter time for all of it.")
