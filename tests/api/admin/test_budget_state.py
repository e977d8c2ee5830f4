"""What budgets and limits show of what is used: rows as workers and the drain leave them, read through the API."""

from typing import Any

import psycopg
import pytest

from support.control_plane import ControlPlane

USD = 10**12
WORKER = "00000000-0000-7000-8000-00000000000a"
FOREVER_US = 253_370_764_800_000_000


class Windows:
    """Writes windows and leases of one quota."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    def use(
        self, quota: dict[str, Any], *, subject: str = "", settled: int = 0, leased: int = 0, held: int = 0
    ) -> None:
        key = (quota["id"], 0, subject, 0)
        with psycopg.connect(self._database_url) as connection:
            connection.execute(
                "INSERT INTO quota_window VALUES (%s, %s, %s, %s, %s, %s, %s)", (*key, FOREVER_US, leased, settled)
            )
            connection.execute(
                "INSERT INTO quota_lease VALUES (%s, %s, %s, %s, %s, %s, 0, %s)", (WORKER, *key, leased, held)
            )


@pytest.fixture
def windows(database_url: str) -> Windows:
    return Windows(database_url)


def in_total(plane: ControlPlane, **body: Any) -> dict[str, Any]:
    return plane.must("PUT", "/budgets", json={"window": "total", "limit_usd": "10"} | body)


def test_a_budget_that_nobody_used_has_all_of_it_left(plane: ControlPlane) -> None:
    state = in_total(plane)
    assert [state[name] for name in ("settled_usd", "held_usd", "leased_usd", "left_usd")] == ["0", "0", "0", "10"]
    daily = plane.must("PUT", "/budgets", json={"window": "day", "limit_usd": "10"})
    assert (daily["left_usd"], daily["forecast_usd"]) == ("10", "0")
    assert daily["window_start"] < daily["window_end"]
    rolling = plane.must("PUT", "/budgets", json={"window": "rolling:1h", "limit_usd": "10"})
    assert (rolling["window_end"], rolling["forecast_usd"]) == (None, "0")


def test_what_is_settled_and_held_is_not_left(plane: ControlPlane, windows: Windows) -> None:
    budget = in_total(plane)
    windows.use(budget, settled=3 * USD, leased=2 * USD, held=USD // 2)
    shown = plane.must("GET", f"/budgets/{budget['id']}")
    assert [shown[name] for name in ("settled_usd", "leased_usd", "held_usd", "left_usd")] == ["3", "2", "0.5", "6.5"]
    assert plane.must("GET", "/budgets")["data"] == [shown]


def test_a_raise_leaves_more_as_long_as_it_holds(plane: ControlPlane, windows: Windows) -> None:
    budget = in_total(plane)
    windows.use(budget, settled=3 * USD)
    raised = {"limit_usd": "20", "until": "2999-01-01T00:00:00Z"}
    assert plane.must("PATCH", f"/budgets/{budget['id']}", json={"raised": raised})["left_usd"] == "17"
    assert plane.must("PATCH", f"/budgets/{budget['id']}", json={"raised": None})["left_usd"] == "7"


def test_a_lowered_limit_can_leave_less_than_nothing(plane: ControlPlane, windows: Windows) -> None:
    budget = in_total(plane)
    windows.use(budget, settled=3 * USD)
    assert plane.must("PATCH", f"/budgets/{budget['id']}", json={"limit_usd": "1"})["left_usd"] == "-2"


def test_a_reset_budget_begins_with_nothing_used(plane: ControlPlane, windows: Windows) -> None:
    budget = in_total(plane)
    windows.use(budget, settled=3 * USD, leased=USD)
    reset = plane.must("POST", f"/budgets/{budget['id']}/reset")
    assert [reset[name] for name in ("settled_usd", "leased_usd", "left_usd")] == ["0", "0", "10"]


def test_each_subject_has_a_window_of_its_own_and_pages_go_on_behind_the_last_one(
    plane: ControlPlane, windows: Windows
) -> None:
    budget = in_total(plane, each=["user", "model"])
    names = [f"{name} ü" for name in "cab"]
    for number, name in enumerate(names, 1):
        windows.use(budget, subject=f'["{name}","upstream/one"]'.replace("ü", "\\u00fc"), settled=number * USD)
    shown = plane.must("GET", f"/budgets/{budget['id']}")
    assert (shown["settled_usd"], shown["left_usd"], shown["forecast_usd"]) == ("6", None, None)
    seen, cursor = [], None
    while True:
        query = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = plane.must("GET", f"/budgets/{budget['id']}/windows", params=query)
        seen += [(row["subject"]["user"], row["subject"]["model"], row["left_usd"]) for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [("a ü", "upstream/one", "8"), ("b ü", "upstream/one", "7"), ("c ü", "upstream/one", "9")]


def test_the_one_window_of_a_budget_is_listed_too(plane: ControlPlane, windows: Windows) -> None:
    budget = in_total(plane)
    windows.use(budget, settled=USD)
    [row] = plane.must("GET", f"/budgets/{budget['id']}/windows")["data"]
    assert (row["subject"], row["settled_usd"]) == ({}, "1")


@pytest.mark.parametrize("cursor", ["a", "____", "A==="])
def test_a_cursor_that_is_none_is_refused(shared_plane: ControlPlane, cursor: str) -> None:
    budget = in_total(shared_plane)
    path = f"/budgets/{budget['id']}/windows"
    assert shared_plane("GET", path, params={"cursor": cursor}).status_code == 422


def test_a_parallel_limit_shows_what_runs(plane: ControlPlane, windows: Windows) -> None:
    limit = plane.must("PUT", "/limits", json={"unit": "parallel", "limit": 8})
    windows.use(limit, leased=5, held=3)
    shown = plane.must("GET", f"/limits/{limit['id']}")
    assert [shown[name] for name in ("used", "leased", "held", "left", "window_end")] == [0, 5, 3, 5, None]
