"""`tollway doctor`."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tollway.cli import check_machine, check_server, check_storage
from tollway.cli.check import Check, Finding, Level
from tollway.cli.database import DatabaseUrl
from tollway.cli.endpoint import ApiKey, DataDir, Url, find_endpoint
from tollway.cli.failure import CommandError
from tollway.cli.output import AsJson, print_json
from tollway.cli.settings import settings_of
from tollway.cli.table import terminal

_MARKS = {
    Level.OK: "[green]ok[/]",
    Level.WARN: "[yellow]warn[/]",
    Level.FAIL: "[red]FAIL[/]",
    Level.SKIP: "[dim]skip[/]",
}


def doctor(
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try to reach providers.")] = False,
    database_url: DatabaseUrl = None,
    url: Url = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check the machine, database, providers and server, and say what to do. Fails if a check fails.

    Works with and without a running server. Changes nothing.
    """
    settings = settings_of(database_url=database_url, data_dir=data_dir)
    endpoint = find_endpoint(url, api_key, settings.storage.data_dir, "admin_key")
    checks: list[Check] = [
        lambda: check_machine.machine(settings),
        lambda: check_storage.disk(settings),
        lambda: check_storage.database(settings, server_answers=check_server.answers(endpoint)),
        lambda: check_server.server(endpoint),
    ]
    if not offline:
        checks.append(lambda: check_server.providers(endpoint))
    findings = _run(checks)
    failed = [finding for finding in findings if finding.level is Level.FAIL]
    if as_json:
        print_json({"ok": not failed, "checks": [finding.facts() for finding in findings]})
    else:
        _show(findings)
    if failed:
        names = ", ".join(f"{finding.area}: {finding.name}" for finding in failed)
        raise CommandError(f"Not well: {names}.", code="unwell", next_step="Follow the advice above, from the top.")


def _run(checks: Iterable[Check]) -> list[Finding]:
    console = Console(stderr=True)
    if not console.is_terminal:
        return [finding for check in checks for finding in check()]
    findings = []
    with console.status("Checking …") as status:
        for check in checks:
            for finding in check():
                status.update(f"Checked {finding.area}: {escape(finding.name)}")
                findings.append(finding)
    return findings


def _show(findings: Iterable[Finding]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("AREA", "CHECK", "", "FOUND", "WHAT TO DO"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        table.add_row(
            finding.area, escape(finding.name), _MARKS[finding.level], escape(finding.found), escape(finding.advice)
        )
    terminal().print(table)
