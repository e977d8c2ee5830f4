import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import psycopg
import pytest

from support.control_plane import factory_with_keys
from support.postgres import DatabaseUrls
from tollway.data.changes import Change
from tollway.errors import ConflictError
from tollway.services.change_feed import ChangeFeed
from tollway.services.key_lookup import KeyLookup

WITHIN_S = 10.0


async def _next(changes: AsyncIterator[Change]) -> Change:
    return await asyncio.wait_for(anext(changes), WITHIN_S)


def test_a_revocation_is_heard_with_the_key_s_digest(database_urls: DatabaseUrls) -> None:
    async def story() -> None:
        factory = factory_with_keys(database_urls.app)
        organization = await factory.organization_create().create(name="acme")
        async with aclosing(ChangeFeed(database_urls.app).listen()) as changes:
            assert await _next(changes) == Change("*")
            issued = await factory.key_issue().issue(organization.id, name="k")
            heard = await _next(changes)
            assert (heard.noun, heard.id) == ("key", issued.id)
            await factory.key_revoke().revoke(organization.id, "k", revoker=None)
            revoked = await _next(changes)
            assert revoked == heard
            assert revoked.digest is not None
            found = await KeyLookup(factory._context.database).find([revoked.digest])
            assert found[revoked.digest].revoked_at is not None
        await factory._context.aclose()

    asyncio.run(story())


def test_after_a_lost_connection_everything_is_to_be_read_again(database_urls: DatabaseUrls) -> None:
    async def story() -> None:
        async with aclosing(ChangeFeed(database_urls.app).listen()) as changes:
            assert await _next(changes) == Change("*")
            kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tollway-changes'"
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
        assert Change.parse(change.payload) == change
