"""The store in a worker's memory keeps within its bounds."""

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from tollway.cache.kept import Kept
from tollway.cache.memory import MemoryStore


def kept(size: int, *, age_s: float = 0) -> Kept:
    return Kept(time.time() - age_s, (), b"x" * size, 5, "p", "m")


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "get"]),
        st.sampled_from(["one", "two"]),
        st.sampled_from([b"a", b"b", b"c", b"d"]),
        st.integers(0, 3_000),
    ),
    max_size=60,
)


@given(OPERATIONS)
def test_it_never_exceeds_its_bounds_and_gives_only_what_was_put(
    operations: list[tuple[str, str, bytes, int]],
) -> None:
    async def run() -> None:
        store = MemoryStore(8_000)
        put: dict[tuple[str, bytes], Kept] = {}
        for operation, project, key, size in operations:
            if operation == "put":
                given_now = kept(size)
                await store.put(project, key, given_now, ttl_s=60, max_bytes=4_000)
                put[project, key] = given_now
            found = await store.get(project, key)
            assert found is None or found is put[project, key]
            assert store.size_bytes <= 8_000

    asyncio.run(run())


def test_the_one_not_asked_for_longest_goes_first() -> None:
    async def run() -> None:
        store = MemoryStore(100_000)
        for key in (b"a", b"b"):
            await store.put("one", key, kept(1_000), ttl_s=60, max_bytes=3_500)
        assert await store.get("one", b"a") is not None
        await store.put("one", b"c", kept(1_000), ttl_s=60, max_bytes=3_500)
        assert await store.get("one", b"b") is None
        assert await store.get("one", b"a") is not None

    asyncio.run(run())


def test_a_full_project_drops_its_own_and_not_anothers() -> None:
    async def run() -> None:
        store = MemoryStore(100_000)
        await store.put("two", b"theirs", kept(1_000), ttl_s=60, max_bytes=2_000)
        for number in range(50):
            await store.put("one", b"%d" % number, kept(1_000), ttl_s=60, max_bytes=2_000)
        assert await store.get("two", b"theirs") is not None
        assert await store.get("one", b"theirs") is None

    asyncio.run(run())


def test_what_is_too_old_is_gone() -> None:
    async def run() -> None:
        store = MemoryStore(100_000)
        await store.put("one", b"a", kept(10, age_s=61), ttl_s=60, max_bytes=9_000)
        assert await store.get("one", b"a") is None
        assert store.size_bytes == 0

    asyncio.run(run())
