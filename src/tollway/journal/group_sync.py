"""Group fsync: one thread makes everything durable that was written since its last turn, and tells who waits."""

import asyncio
import os
import threading

from tollway.errors import JournalUnavailableError


class GroupSync:
    """Syncs one growing sequence of segment files, at the most once every `interval_s`.

    ``appended`` and ``synced`` count bytes over all segments. The appending thread sets ``appended`` and calls `wake`;
    it is the only one that does. ``directory`` is a descriptor of the directory, whose new names must survive as well.
    """

    def __init__(self, directory: int, *, interval_s: float) -> None:
        self.appended = 0
        self.synced = 0
        self.failed = False
        """An fsync failed: what the kernel still holds of this segment may never reach the disk, so the writer starts
        another one and clears this."""
        self._interval_s = interval_s
        self._directory = directory
        self._switched = False
        self._descriptor: int | None = None
        self._retired: list[int] = []
        self._waiters: list[tuple[int, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._lock = threading.Lock()
        self._dirty = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Tell the thread that there is something to sync."""
        if not self._dirty.is_set():
            self._dirty.set()

    def switch(self, descriptor: int | None) -> None:
        """Sync `descriptor` from now on. The one before is synced once more, then closed."""
        with self._lock:
            if self._descriptor is not None:
                self._retired.append(self._descriptor)
            self._descriptor = descriptor
            self._switched = True
        self._dirty.set()

    async def durable(self) -> None:
        """Return once everything appended so far would survive a power cut.

        Raises:
            JournalUnavailableError: the disk refused to take it.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            if self.synced >= self.appended:
                return
            future: asyncio.Future[None] = loop.create_future()
            self._waiters.append((self.appended, loop, future))
        await future

    def stop(self) -> None:
        """Sync a last time, close the files, end the thread. Blocks."""
        self.switch(None)
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._dirty.wait()
            self._stopping.wait(self._interval_s)
            self._dirty.clear()
            self._sync()
        self._sync()

    def _sync(self) -> None:
        with self._lock:
            target = self.appended
            retired, self._retired = self._retired, []
            descriptors = [*retired, *([] if self._descriptor is None else [self._descriptor])]
            if self._switched:
                descriptors.append(self._directory)
                self._switched = False
        error: OSError | None = None
        for descriptor in descriptors:
            try:
                os.fsync(descriptor)
            except OSError as failure:
                error = failure
        for descriptor in retired:
            os.close(descriptor)
        with self._lock:
            # After a failure the bytes are as durable as they will ever be; later ones go to a new segment.
            self.synced = target
            self.failed = self.failed or error is not None
            reached = [waiter for waiter in self._waiters if waiter[0] <= target]
            self._waiters = [waiter for waiter in self._waiters if waiter[0] > target]
        for _, loop, future in reached:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, future, error)


def _resolve(future: asyncio.Future[None], error: OSError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
        return
    future.set_exception(
        JournalUnavailableError(
            f"The journal could not be made durable: {error.strerror}.",
            next_step="Check the disk of the data directory.",
        )
    )
