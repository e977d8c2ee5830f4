import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from support.postgres import DatabaseUrls

PARENT = "ledger_entry"
FORBIDDEN = (
    "UPDATE {} SET charge_pico = 0",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "DROP TABLE {}",
    "ALTER TABLE {} ADD COLUMN more int",
    "ALTER TABLE {} DISABLE TRIGGER ALL",
    "CREATE INDEX ON {} (error)",
    "GRANT UPDATE ON {} TO tollway_app",
)


@pytest.fixture(params=["the table", "its last partition"])
def part(request: pytest.FixtureRequest, database_urls: DatabaseUrls) -> str:
    """What is attacked."""
    if request.param == "the table":
        return PARENT
    with psycopg.connect(database_urls.owner) as connection:
        query = "SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = %s::regclass"
        row = connection.execute(query, [PARENT]).fetchone()
    assert row
    return str(row[0])


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_application_can_neither_change_nor_remove_entries(
    database_urls: DatabaseUrls, statement: str, part: str
) -> None:
    with psycopg.connect(database_urls.app, options="-c role=tollway_app") as connection:
        if statement.startswith("GRANT"):
            connection.execute(statement.format(part))
            granted = connection.execute("SELECT has_table_privilege('tollway_app', %s, 'UPDATE')", [part]).fetchone()
            assert granted == (False,)
        else:
            with pytest.raises(InsufficientPrivilege):
                connection.execute(statement.format(part))


def test_partitions_made_later_are_as_protected(database_urls: DatabaseUrls) -> None:
    with psycopg.connect(database_urls.app, autocommit=True) as connection:
        assert connection.execute("SELECT ledger_partition_make('2031-02-03')").fetchone() == (True,)
        assert connection.execute("SELECT ledger_partition_make('2031-02-28')").fetchone() == (False,)
    with psycopg.connect(database_urls.owner) as connection:
        granted = connection.execute("""
            SELECT DISTINCT privilege_type FROM information_schema.role_table_grants
            WHERE grantee = 'tollway_app' AND table_name LIKE 'ledger_entry%'
        """).fetchall()
        owners = connection.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename LIKE 'ledger_entry%'"
        ).fetchall()
    assert sorted(granted) == [("INSERT",), ("SELECT",)]
    assert owners != [("tollway_app",)]
    assert len(owners) == 1


def test_the_function_that_makes_partitions_makes_nothing_else(database_urls: DatabaseUrls) -> None:
    with psycopg.connect(database_urls.app, autocommit=True) as connection:
        for moment in ("1969-12-31", "9999-12-31"):
            with pytest.raises(psycopg.DataError, match="no ledger partition"):
                connection.execute("SELECT ledger_partition_make(%s)", [moment])
        with pytest.raises(InsufficientPrivilege):
            connection.execute("CREATE TABLE public.mine (n int)")
