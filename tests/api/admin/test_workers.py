from http import HTTPStatus

import psycopg

from support.control_plane import ControlPlane

DEAD, ALIVE = "00000000-0000-7000-8000-00000000000a", "00000000-0000-7000-8000-00000000000b"
USD = 10**12


def furnish(plane: ControlPlane, database_url: str) -> str:
    """Two workers that have leased a dollar each, one of them dead; the id of the budget."""
    budget = plane.must("PUT", "/budgets", json={"window": "total", "limit_usd": "10"})["id"]
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO worker VALUES (%s, 'one', now(), now() - interval '1 hour')", [DEAD])
        connection.execute("INSERT INTO worker VALUES (%s, 'two', now(), now() + interval '1 hour')", [ALIVE])
        connection.execute("INSERT INTO quota_window VALUES (%s, 0, '', 0, 1, %s, 0)", [budget, 2 * USD])
        for worker in (DEAD, ALIVE):
            connection.execute("INSERT INTO quota_lease VALUES (%s, %s, 0, '', 0, %s, 0, 0)", [worker, budget, USD])
    return str(budget)


def test_workers_are_listed_with_what_they_have_leased(plane: ControlPlane, database_url: str) -> None:
    furnish(plane, database_url)
    rows = plane.must("GET", "/workers", as_="acme-platform")["data"]
    assert [(row["id"], row["host"], row["alive"], row["leases"], row["leased_usd"]) for row in rows] == [
        (DEAD, "one", False, 1, "1"),
        (ALIVE, "two", True, 1, "1"),
    ]


def test_what_a_lost_worker_had_leased_returns_when_it_is_given_up(plane: ControlPlane, database_url: str) -> None:
    budget = furnish(plane, database_url)
    plane.must("DELETE", f"/workers/{DEAD}", as_="acme-platform")
    assert plane.must("GET", f"/budgets/{budget}")["leased_usd"] == "1"
    assert plane("DELETE", f"/workers/{DEAD}", as_="acme-platform").status_code == HTTPStatus.NOT_FOUND
    assert [row["id"] for row in plane.must("GET", "/workers", as_="acme-platform")["data"]] == [ALIVE]


def test_a_worker_that_lives_is_not_given_up(plane: ControlPlane, database_url: str) -> None:
    budget = furnish(plane, database_url)
    assert plane("DELETE", f"/workers/{ALIVE}", as_="acme-platform").status_code == HTTPStatus.CONFLICT
    assert plane.must("GET", f"/budgets/{budget}")["leased_usd"] == "2"
