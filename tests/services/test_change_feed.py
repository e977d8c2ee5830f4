import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import aclosing

import psycopg
import pytest

from support.control_plane import factory_with_keys
from support.postgres import DatabaseUrls
from tollway.data.changes import Change
from tollway.errors import ConflictError
from tollway.services.change_feed import ChangeFeed

WITHIN_S = 60.0


async def _next(changes: AsyncIterator[Change]) -> Change:
    return await asyncio.wait_for(anext(changes), WITHIN_S)


def test_of_a_key_it_is_heard_when_it_ends(database_urls: DatabaseUrls) -> None:
    async def story() -> None:
        factory = factory_with_keys(database_urls.app)
        organization = await factory.organization_create().create(name="acme")
        async with aclosing(ChangeFeed(database_urls.app).listen()) as changes:
            assert await _next(changes) == Change("*")
            issued = await factory.key_issue().issue(organization.id, name="k")
            heard = await _next(changes)
            assert heard == Change.key_ends(issued.id, math.inf)
            rotated = await factory.key_rotate().rotate(organization.id, "k", maker=None, overlap_s=60)
            ends = Change.key_ends(issued.id, rotated.old_key_ends_at.timestamp())
            assert {await _next(changes), await _next(changes)} == {ends, Change.key_ends(rotated.id, math.inf)}
            await factory.key_revoke().revoke(organization.id, "k", revoker=None)
            assert (await _next(changes)).ends_at_s == 0.0
        await factory._context.aclose()

    asyncio.run(story())


def test_after_a_lost_connection_everything_is_to_be_read_again(database_urls: DatabaseUrls) -> None:
    async def story() -> None:
        async with aclosing(ChangeFeed(database_urls.app).listen()) as changes:
            assert await _next(changes) == Change("*")
            kill = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'tollway-changes' AND datname = current_database()"
            )
            connection = await psycopg.AsyncConnection.connect(database_urls.owner, autocommit=True)
            async with connection:
                await connection.execute(kill)
            assert await _next(changes) == Change("*")

    asyncio.run(story())


def test_a_change_that_is_rolled_back_is_not_announced(database_urls: DatabaseUrls) -> None:
    async def story() -> None:
        factory = factory_with_keys(database_urls.app)
        organization = await factory.organization_create().create(name="acme")
        await factory.key_issue().issue(organization.id, name="k")
        async with aclosing(ChangeFeed(database_urls.app).listen()) as changes:
            assert await _next(changes) == Change("*")
            with pytest.raises(ConflictError):
                await factory.key_issue().issue(organization.id, name="k")
            last = await factory.key_issue().issue(organization.id, name="other")
            assert (await _next(changes)).id == last.id
        await factory._context.aclose()

    asyncio.run(story())


def test_a_payload_that_is_not_understood_means_everything() -> None:
    assert Change.parse("key:1:zz") == Change("*")
    for change in (Change("*"), Change("key", "1", b"d" * 32), Change("catalog", "o"), Change("key")):
        assert change.ends_at_s is None
        assert Change.parse(change.payload) == change
