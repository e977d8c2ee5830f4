"""The command `tollway`: the list of its commands, and what every one of them does with a fault."""

import sys

from tollway.cli.failure import CommandError, from_fault, show
from tollway.cli.lazy import Entry, LazyGroup
from tollway.errors import TollwayError

COMMANDS: dict[str, Entry] = {
    "serve": ("tollway.cli.serve", "Start Tollway: database, local model, workers."),
    "init": ("tollway.cli.init", "Prepare a data directory, its secrets and its database, without serving."),
    "apply": (
        "tollway.cli.apply",
        "Make providers, prices, projects, keys, budgets, limits and webhooks as a file declares them.",
    ),
    "chat": ("tollway.cli.chat", "Talk to a model through the gateway, and see what each turn costs."),
    "keys": ("tollway.cli.keys", "Create, list, rotate and revoke keys."),
    "projects": ("tollway.cli.projects", "Create, list, change and archive projects."),
    "organizations": ("tollway.cli.organizations", "Create, list and change organizations."),
    "providers": ("tollway.cli.providers", "Add, list, change and remove providers."),
    "models": ("tollway.cli.models", "List and declare models."),
    "aliases": ("tollway.cli.aliases", "Give a project its own names for models."),
    "route": ("tollway.cli.route", "Explain where requests go, and compare the targets of an alias."),
    "prices": ("tollway.cli.prices", "Show and set prices."),
    "budgets": ("tollway.cli.budgets", "Set budgets, and see what is left of them."),
    "limits": ("tollway.cli.limits", "Set rate limits."),
    "workers": ("tollway.cli.workers", "List the workers, and give up those of a lost machine."),
    "usage": ("tollway.cli.usage", "Sum requests, tokens and charges."),
    "audit": ("tollway.cli.audit", "List what happened: changes, and thresholds of budgets."),
    "webhooks": ("tollway.cli.webhooks", "Have events posted to an address of yours."),
    "ledger": ("tollway.cli.ledger", "List, explain, audit and export ledger entries."),
    "doctor": ("tollway.cli.doctor", "Check the machine, database, providers and server, and say what to do."),
    "migrate": ("tollway.cli.migrate", "Bring the database to the schema of this version."),
    "version": ("tollway.cli.version", "Print the version."),
}
"""Every command: its module and its summary."""


def build() -> LazyGroup:
    """The whole command."""
    return LazyGroup(
        entries=COMMANDS,
        name="tollway",
        help="The AI backend a team runs itself. Every request is authenticated, priced and in the ledger.",
        epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no server answers.",
        no_args_is_help=True,
    )


def main() -> None:
    """Run the command line of this process, and exit with its code."""
    try:
        build().main(prog_name="tollway")
    except CommandError as error:
        show(error)
        sys.exit(error.exit_code)
    except TollwayError as error:
        show(from_fault(error))
        sys.exit(1)
