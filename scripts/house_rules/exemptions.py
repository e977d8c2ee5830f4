"""What breaks a rule on purpose, each with its reason. The list may only shrink: an entry that is not needed fails."""

from dataclasses import dataclass

from house_rules.source import Finding


@dataclass(frozen=True)
class Exemption:
    """One file may break one rule in one way.

    Attributes:
        rule: the rule's name.
        path: the file, or a folder that ends with a slash.
        what: the finding's text, or how it begins.
        reason: why it is right there.
    """

    rule: str
    path: str
    what: str
    reason: str

    def covers(self, found: Finding) -> bool:
        """Whether this exemption is about the finding."""
        in_place = found.path == self.path or (self.path.endswith("/") and found.path.startswith(self.path))
        return in_place and found.rule == self.rule and found.what.startswith(self.what)


EXEMPTIONS: tuple[Exemption, ...] = (
    Exemption(
        "provider-name-place",
        "src/tollway/cli/serve.py",
        "names openai",
        "The snippet that is printed imports the SDK, whose name that is.",
    ),
    Exemption(
        "provider-name-place",
        "src/tollway/telemetry/logs.py",
        "names xai",
        "The forms in which providers write their keys, so that a key is hidden wherever it turns up.",
    ),
    Exemption(
        "import-at-top",
        "src/tollway/data/schema/tables.py",
        "calls importlib.import_module()",
        "Alembic compares with all tables; the folder is the list of them, so that none can be forgotten.",
    ),
    Exemption(
        "driver-place",
        "src/tollway/supervisor/postgres.py",
        "imports psycopg",
        "The embedded server gets its role and database from its owner, before any schema or session of ours exists.",
    ),
    Exemption(
        "import-at-top",
        "src/tollway/late.py",
        "calls importlib.import_module()",
        "The one late import: `tollway version` does not wait for what `serve` needs, no worker for a cloud's library.",
    ),
    Exemption(
        "socket-place",
        "src/tollway/cli/client.py",
        "imports ",
        "The command line is a client of Tollway's own API, in a process of its own; no provider is called there.",
    ),
    Exemption(
        "socket-place",
        "src/tollway/supervisor/local_model.py",
        "imports socket",
        "The demo model is given a free loopback port, which only binding one can find.",
    ),
    Exemption(
        "socket-place",
        "src/tollway/supervisor/port.py",
        "imports socket",
        "Whether a port is free can only be seen by binding it; nothing is sent or received.",
    ),
    Exemption(
        "sql-place",
        "src/tollway/supervisor/postgres.py",
        "",
        "The embedded server gets its role and database from its owner, before any schema or session of ours exists.",
    ),
    Exemption(
        "sqlalchemy-place",
        "src/tollway/services/migrate.py",
        "imports ",
        "The migration runner hands Alembic a connection and tells a lock timeout from a database that is away.",
    ),
)
