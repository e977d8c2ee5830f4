"""Quotas for tests: rows of a database, written past all services, and what their windows hold."""

from dataclasses import dataclass
from decimal import Decimal

import psycopg
from psycopg import sql

from tollway.ids import uuid7
from tollway.ledger.quota import WindowRef
from tollway.ledger.settlement import Settlement, packed


@dataclass(frozen=True)
class WindowRow:
    """A row of ``quota_window``, with the sums of its leases."""

    granted: int
    settled: int
    end_us: int
    leases: dict[str, tuple[int, int]]
    """Worker → (granted, spent)."""

    @property
    def leased(self) -> int:
        """What workers may still spend, as the leases tell."""
        return sum(granted - spent for granted, spent in self.leases.values())


def an_organization(url: str) -> str:
    """A new organization; returns its id."""
    organization_id = uuid7()
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO organization (id, name) VALUES (%s, %s)", [organization_id, f"org-{organization_id[-12:]}"]
        )
    return organization_id


def an_api_key(url: str) -> str:
    """A key of a new organization; returns its id."""
    key_id = uuid7()
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO api_key (id, organization_id, name, digest, shown_prefix, scopes)"
            " VALUES (%s, %s, 'k', %s, 'tw_x', '{admin}')",
            [key_id, an_organization(url), key_id.encode()[:32]],
        )
    return key_id


def a_quota(url: str, organization_id: str, **columns: object) -> str:
    """A hard budget of 1 USD a day, unless told otherwise; returns its id."""
    values = {"id": uuid7(), "organization_id": organization_id, "unit": "usd", "period": "day", "mode": "hard"}
    values |= {"amount": Decimal(10**12)} | columns
    statement = sql.SQL("INSERT INTO quota ({}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, values)), sql.SQL(", ").join([sql.Placeholder()] * len(values))
    )
    with psycopg.connect(url) as connection:
        connection.execute(statement, list(values.values()))
    return str(values["id"])


def a_settlement(
    quota_id: str, amount: int, *, leased: bool = True, start_us: int = 0, subject: str = ""
) -> Settlement:
    """What one request takes from one window."""
    return Settlement(packed([WindowRef(quota_id, 0, subject, start_us)]), amount, leased)


def grant(url: str, worker_id: str, ref: WindowRef, amount: int) -> None:
    """Let a worker have leased so much of a window, as an exchange does."""
    key = [ref.quota_id, ref.generation, ref.subject, ref.start_us]
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO quota_window (quota_id, generation, subject, start_us, end_us, granted)"
            " VALUES (%s, %s, %s, %s, 0, %s) ON CONFLICT (quota_id, generation, subject, start_us)"
            " DO UPDATE SET granted = quota_window.granted + excluded.granted",
            [*key, amount],
        )
        connection.execute(
            "INSERT INTO quota_lease (worker_id, quota_id, generation, subject, start_us, granted)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [worker_id, *key, amount],
        )
        connection.execute("INSERT INTO worker (id, host) VALUES (%s, 'test') ON CONFLICT DO NOTHING", [worker_id])


def window_rows(url: str) -> dict[WindowRef, WindowRow]:
    """All windows with their leases, as of one moment: between two glances another process may begin a window."""
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        found = {
            WindowRef(*key): WindowRow(int(granted), int(settled), end_us, {})
            for *key, granted, settled, end_us in connection.execute(
                "SELECT quota_id::text, generation, subject, start_us, granted, settled, end_us FROM quota_window"
            )
        }
        for worker_id, *key, granted, spent in connection.execute(
            "SELECT worker_id::text, quota_id::text, generation, subject, start_us, granted, spent FROM quota_lease"
        ):
            found[WindowRef(*key)].leases[worker_id] = (int(granted), int(spent))
    return found
