"""A key is read from the database once, and never believed longer than it should be."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest

from tollway.errors import (
    AuthenticationError,
    DatabaseUnavailableError,
    ExpiredKeyError,
    MissingKeyError,
    PermissionDeniedError,
    RevokedKeyError,
)
from tollway.identity.key import digest, new_key
from tollway.identity.principal import Principal, Scope
from tollway.services import authenticate
from tollway.services.authenticate import Authenticator, key_from_headers, require_scope

PEPPER = b"p" * 32


def principal(name: str = "key", **fields: object) -> Principal:
    return Principal(name, "acme", "web", name, frozenset({Scope.INFERENCE}), **fields)  # type: ignore[arg-type]


class Keys:
    """The database: keys by their digest, and how often it was asked."""

    def __init__(self) -> None:
        self.rows: dict[bytes, Principal] = {}
        self.asked = 0
        self.away = False
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    def add(self, **fields: object) -> bytes:
        key = new_key().encode()
        self.rows[digest(PEPPER, key)] = principal(f"key-{len(self.rows)}", **fields)
        return key

    def revoke(self, key: bytes) -> None:
        self.rows[digest(PEPPER, key)] = principal("key-0", revoked_at=time.time() - 1)

    async def find(self, digests: Sequence[bytes]) -> dict[bytes, Principal]:
        self.asked += 1
        if self.away:
            raise DatabaseUnavailableError("away")
        found = {digest: self.rows[digest] for digest in digests if digest in self.rows}
        if self.meanwhile is not None:
            await self.meanwhile()
        return found


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def authenticator(keys: Keys) -> Authenticator:
    return Authenticator(PEPPER, keys.find)


async def test_a_known_key_does_not_reach_the_database_again(keys: Keys, authenticator: Authenticator) -> None:
    key = keys.add()
    assert authenticator.cached(key) is None
    for _ in range(3):
        assert (await authenticator.authenticate(key)).key_id == "key-0"
    assert authenticator.cached(key) is not None
    assert keys.asked == 1


async def test_a_flood_of_one_unknown_key_does_not_reach_the_database(
    keys: Keys, authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticate, "UNKNOWN_KEY_TTL_S", 3_600.0)
    for _ in range(50):
        with pytest.raises(AuthenticationError):
            await authenticator.authenticate(b"tw-nobody")
    assert keys.asked == 1


async def test_a_key_that_cannot_be_one_does_not_reach_the_database(keys: Keys, authenticator: Authenticator) -> None:
    with pytest.raises(MissingKeyError):
        await authenticator.authenticate(b"")
    with pytest.raises(AuthenticationError):
        await authenticator.authenticate(b"x" * (authenticate.KEY_MAX_BYTES + 1))
    assert keys.asked == 0


async def test_a_key_is_unknown_only_for_a_while(
    keys: Keys, authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key().encode()
    monkeypatch.setattr(authenticate, "UNKNOWN_KEY_TTL_S", 0.0)
    with pytest.raises(AuthenticationError):
        await authenticator.authenticate(key)
    keys.rows[digest(PEPPER, key)] = principal()
    assert await authenticator.authenticate(key)


async def test_what_is_remembered_is_bounded(
    keys: Keys, authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticate, "KEY_CACHE_ENTRIES", 5)
    monkeypatch.setattr(authenticate, "UNKNOWN_KEY_CACHE_ENTRIES", 5)
    known = [keys.add() for _ in range(20)]
    for key in known:
        await authenticator.authenticate(key)
        with pytest.raises(AuthenticationError):
            await authenticator.authenticate(key + b"x")
    assert [authenticator.cached(key) is not None for key in known] == [False] * 15 + [True] * 5
    assert len(authenticator._unknown) == 5


async def test_neither_keys_nor_stored_digests_can_be_read_off_the_cache_s_marks(
    keys: Keys, authenticator: Authenticator
) -> None:
    key = keys.add()
    await authenticator.authenticate(key)
    assert not {key, digest(PEPPER, key)} & set(authenticator._known)


async def test_a_key_that_expires_while_it_is_remembered_is_refused(keys: Keys, authenticator: Authenticator) -> None:
    key = keys.add(expires_at=time.time() + 3_600)
    await authenticator.authenticate(key)
    authenticator._known = {
        mark: known._replace(principal=principal(expires_at=time.time() - 1))
        for mark, known in authenticator._known.items()
    }
    with pytest.raises(ExpiredKeyError):
        authenticator.cached(key)


async def test_a_key_whose_end_lies_ahead_still_works(keys: Keys, authenticator: Authenticator) -> None:
    key = keys.add(expires_at=time.time() + 3_600, revoked_at=time.time() + 3_600)
    assert await authenticator.authenticate(key)
    assert authenticator.cached(key)


@pytest.mark.parametrize(("field", "error"), [("expires_at", ExpiredKeyError), ("revoked_at", RevokedKeyError)])
async def test_a_dead_key_is_refused_as_what_it_is(
    keys: Keys, authenticator: Authenticator, field: str, error: type[Exception]
) -> None:
    key = keys.add(**{field: time.time() - 1})
    for _ in range(2):
        with pytest.raises(error):
            await authenticator.authenticate(key)


async def test_a_key_that_is_announced_is_read_again(keys: Keys, authenticator: Authenticator) -> None:
    key, other = keys.add(), keys.add()
    await authenticator.authenticate(key)
    await authenticator.authenticate(other)
    keys.revoke(key)
    authenticator.follow_key("key-0", None)
    with pytest.raises(RevokedKeyError):
        await authenticator.authenticate(key)
    assert authenticator.cached(other)


async def test_a_revocation_that_is_heard_holds_at_once_though_the_database_is_away(
    keys: Keys, authenticator: Authenticator
) -> None:
    key, other = keys.add(), keys.add()
    await authenticator.authenticate(key)
    await authenticator.authenticate(other)
    keys.away = True
    authenticator.follow_key("key-0", 0.0)
    with pytest.raises(RevokedKeyError):
        await authenticator.authenticate(key)
    assert await authenticator.authenticate(other)


async def test_a_rotated_key_works_to_the_end_of_its_overlap_though_the_database_is_away(
    keys: Keys, authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, now = keys.add(), time.time()
    await authenticator.authenticate(key)
    keys.away = True
    authenticator.follow_key("key-0", now + 60)
    assert await authenticator.authenticate(key)
    monkeypatch.setattr(time, "time", lambda: now + 61)
    with pytest.raises(RevokedKeyError):
        await authenticator.authenticate(key)


async def test_a_new_key_s_late_announcement_takes_nothing_from_whoever_uses_it_already(
    keys: Keys, authenticator: Authenticator
) -> None:
    used, asked = keys.add(), keys.add()
    await authenticator.authenticate(used)

    async def announced() -> None:
        keys.meanwhile = None
        authenticator.follow_key("key-0", math.inf)
        authenticator.follow_key("key-1", math.inf)

    keys.meanwhile = announced
    await authenticator.authenticate(asked)
    keys.away = True
    assert await authenticator.authenticate(used)
    assert await authenticator.authenticate(asked)


async def test_an_answer_from_before_an_announcement_is_not_remembered(
    keys: Keys, authenticator: Authenticator
) -> None:
    key = keys.add()

    async def revoked_meanwhile() -> None:
        keys.meanwhile = None
        keys.revoke(key)
        authenticator.follow_key("key-0", None)

    keys.meanwhile = revoked_meanwhile
    await authenticator.authenticate(key)
    assert authenticator.cached(key) is None
    with pytest.raises(RevokedKeyError):
        await authenticator.authenticate(key)


async def test_a_key_made_while_it_was_looked_for_works_at_once(keys: Keys, authenticator: Authenticator) -> None:
    key = new_key().encode()

    async def made_meanwhile() -> None:
        keys.meanwhile = None
        keys.rows[digest(PEPPER, key)] = principal()
        authenticator.follow_key("key", math.inf)

    keys.meanwhile = made_meanwhile
    with pytest.raises(AuthenticationError):
        await authenticator.authenticate(key)
    assert await authenticator.authenticate(key)


async def test_a_sweep_finds_what_no_announcement_told(keys: Keys, authenticator: Authenticator) -> None:
    revoked, deleted, kept = keys.add(), keys.add(), keys.add()
    for key in (revoked, deleted, kept):
        await authenticator.authenticate(key)
    keys.revoke(revoked)
    del keys.rows[digest(PEPPER, deleted)]
    keys.asked = 0
    await authenticator.refresh()
    assert keys.asked == 1, "all keys in one query"
    with pytest.raises(RevokedKeyError):
        authenticator.cached(revoked)
    assert authenticator.cached(deleted) is None
    assert authenticator.cached(kept)


async def test_a_sweep_reads_many_keys_in_batches(
    keys: Keys, authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticate, "_REFRESH_BATCH", 2)
    many = [keys.add() for _ in range(5)]
    for key in many:
        await authenticator.authenticate(key)
    keys.asked = 0
    keys.rows.clear()
    await authenticator.refresh()
    assert keys.asked == 3
    assert not any(authenticator.cached(key) for key in many)


async def test_a_sweep_does_not_bring_back_what_was_announced_meanwhile(
    keys: Keys, authenticator: Authenticator
) -> None:
    key = keys.add()
    await authenticator.authenticate(key)

    async def announced() -> None:
        authenticator.follow_key("key-0", None)

    keys.meanwhile = announced
    await authenticator.refresh()
    assert authenticator.cached(key) is None


async def test_without_a_database_known_keys_work_and_others_are_not_called_unknown(
    keys: Keys, authenticator: Authenticator
) -> None:
    known, other = keys.add(), keys.add()
    await authenticator.authenticate(known)
    keys.away = True
    with pytest.raises(DatabaseUnavailableError):
        await authenticator.refresh()
    assert await authenticator.authenticate(known)
    with pytest.raises(DatabaseUnavailableError):
        await authenticator.authenticate(other)
    keys.away = False
    assert await authenticator.authenticate(other)


async def test_keys_are_told_apart_whole(keys: Keys, authenticator: Authenticator) -> None:
    key = keys.add()
    await asyncio.gather(authenticator.authenticate(key), authenticator.authenticate(key))
    for wrong in (key[:-1], key + b"x", key.upper(), key + b"\x00"):
        with pytest.raises(AuthenticationError):
            await authenticator.authenticate(wrong)


@pytest.mark.parametrize(
    ("authorization", "api_key", "expected"),
    [
        (b"Bearer k", b"", b"k"),
        (b"bearer  k ", b"other", b"k"),
        (b"", b" k ", b"k"),
        (b"Basic k", b"", b""),
        (b"Bearer", b"", b""),
        (b"Bearer ", b"x", b""),
        (b"", b"", b""),
    ],
)
def test_a_key_is_found_in_either_header(authorization: bytes, api_key: bytes, expected: bytes) -> None:
    assert key_from_headers(authorization, api_key) == expected


def test_a_scope_that_a_key_lacks_is_refused() -> None:
    require_scope(principal(), Scope.INFERENCE)
    with pytest.raises(PermissionDeniedError):
        require_scope(principal(), Scope.ADMIN)
