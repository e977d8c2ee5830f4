"""Answers in this worker's memory: bounded, the one that was not asked for longest goes first."""

import time
from collections import OrderedDict

from tollway.cache.kept import Kept

_Place = tuple[str, bytes]


class MemoryStore:
    """A store of one worker. The oldest go, of a project that is full first its own."""

    def __init__(self, max_bytes: int) -> None:
        """Args: max_bytes: of all projects together."""
        self._max_bytes = max_bytes
        self._kept: OrderedDict[_Place, tuple[Kept, float]] = OrderedDict()
        self._projects: dict[str, OrderedDict[bytes, int]] = {}
        self._project_bytes: dict[str, int] = {}
        self.size_bytes = 0

    async def get(self, project_id: str, key: bytes) -> Kept | None:
        """See `CacheStore.get`."""
        found = self._kept.get((project_id, key))
        if found is None:
            return None
        kept, until_s = found
        if time.time() >= until_s:
            self._drop((project_id, key))
            return None
        self._kept.move_to_end((project_id, key))
        self._projects[project_id].move_to_end(key)
        return kept

    async def put(self, project_id: str, key: bytes, kept: Kept, *, ttl_s: int, max_bytes: int) -> None:
        """See `CacheStore.put`."""
        size = kept.size_bytes
        if size > min(max_bytes, self._max_bytes):
            return
        self._drop((project_id, key))
        while self._project_bytes.get(project_id, 0) + size > max_bytes:
            self._drop((project_id, next(iter(self._projects[project_id]))))
        while self.size_bytes + size > self._max_bytes:
            self._drop(next(iter(self._kept)))
        self._kept[project_id, key] = (kept, kept.stored_at_s + ttl_s)
        self._projects.setdefault(project_id, OrderedDict())[key] = size
        self._project_bytes[project_id] = self._project_bytes.get(project_id, 0) + size
        self.size_bytes += size

    async def aclose(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._projects.clear()
        self._project_bytes.clear()
        self.size_bytes = 0

    def _drop(self, place: _Place) -> None:
        if self._kept.pop(place, None) is None:
            return
        project_id, key = place
        size = self._projects[project_id].pop(key)
        self.size_bytes -= size
        self._project_bytes[project_id] -= size
        if not self._projects[project_id]:
            del self._projects[project_id], self._project_bytes[project_id]
