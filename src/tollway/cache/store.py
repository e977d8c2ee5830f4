"""The store that is set: in the memory of a worker, or shared."""

from tollway.cache.kept import CacheStore
from tollway.cache.memory import MemoryStore
from tollway.late import import_late


def open_store(shared_url: str | None, *, max_bytes: int) -> CacheStore:
    """A store; the library of the shared one is loaded only for it, for it takes a fifth of a worker's start.

    Args:
        shared_url: of Redis or Valkey; ``None`` for the memory of this worker.
        max_bytes: of that memory.

    Raises:
        ValueError: the extra ``redis`` is not installed, or the address cannot be used.
    """
    if shared_url is None:
        return MemoryStore(max_bytes)
    try:
        shared = import_late("tollway.cache.shared")
    except ImportError as error:
        message = "TOLLWAY_REDIS_URL is set, and the package for it is not there: pip install 'tollway[redis]'."
        raise ValueError(message) from error
    store: CacheStore = shared.SharedStore(shared_url)
    return store
