from sqlalchemy import text

from tollway.data.session import Database


async def test_workers_connect_as_a_role_that_is_not_the_owner(database: Database) -> None:
    async with database.read() as session:
        assert (await session.execute(text("SELECT current_user"))).scalar_one() == "tollway_app"
