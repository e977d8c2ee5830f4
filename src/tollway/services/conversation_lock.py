"""One request after the other goes on with a conversation: who comes in between is told to try again.

The lock is a part of the conversation's row, so that it holds for all workers. It is taken before the conversation is
read and given back in the transaction that appends the turn, so that whoever gets it next reads that turn. A worker
that is killed gives back with its leases, when its journal is in the ledger.
"""

from tollway.data import conversation_locks as store
from tollway.data import conversations
from tollway.data.session import Database
from tollway.errors import ConversationLockedError
from tollway.identity.principal import Principal
from tollway.ids import uuid7
from tollway.services.dialogue_fault import bounded, no_conversation
from tollway.services.write_queue import WriteQueue

_WAITING_MAX = 10_000
"""Locks that wait to be given back; those beyond it are free when they run out."""


class ConversationLock:
    """What one request has.

    Attributes:
        project_id, conversation_id: of what.
        id: by which nobody else frees it.
        passed_on: whether somebody else than the request gives it back: who keeps its response.
    """

    def __init__(self, locks: "ConversationLocks", project_id: str, conversation_id: str) -> None:
        self._locks = locks
        self._held, self.passed_on = True, False
        self.project_id = project_id
        self.conversation_id = conversation_id
        self.id = uuid7()

    @property
    def place(self) -> tuple[str, str, str]:
        """What the database knows it by: project, conversation, request."""
        return self.project_id, self.conversation_id, self.id

    def give_back(self) -> None:
        """Let the next one go on, soon. Nothing, if that was done."""
        if self._held:
            self._locks.free(self)
        self.freed()

    def freed(self) -> None:
        """Note that it was given back."""
        self._held = False


class ConversationLocks:
    """The locks of one worker."""

    def __init__(self, database: Database, worker_id: str, *, run_max_s: float) -> None:
        """Args: run_max_s: longer than any request may run. A lock that is older is free, whoever had it."""
        self._database = database
        self._worker_id = worker_id
        self._run_max_s = run_max_s
        self._queue: WriteQueue[ConversationLock] = WriteQueue(
            "lock of a conversation", self._free, lambda _: None, max_count=_WAITING_MAX, max_bytes=_WAITING_MAX
        )

    async def take(self, principal: Principal, conversation_id: str) -> ConversationLock:
        """Lock a conversation.

        Raises:
            NotFoundError: the project has none of this id.
            ConversationLockedError: another request goes on with it.
            DatabaseUnavailableError: it cannot be known.
        """
        lock = ConversationLock(self, principal.project_id, conversation_id)
        try:
            async with bounded("the conversation"), self._database.write() as session, session.begin():
                taken = await store.take(
                    session,
                    lock.project_id,
                    conversation_id,
                    lock_id=lock.id,
                    worker_id=self._worker_id,
                    lifetime_s=self._run_max_s,
                )
                is_there = taken or await conversations.find(session, lock.project_id, conversation_id) is not None
        except BaseException:  # it may have been taken
            lock.give_back()
            raise
        if not taken:
            raise locked(conversation_id) if is_there else no_conversation(conversation_id)
        return lock

    def free(self, lock: ConversationLock) -> None:
        """Give a lock back, soon."""
        self._queue.add(lock, 0)

    async def aclose(self) -> None:
        """Give what waits a last moment."""
        await self._queue.aclose()

    async def _free(self, batch: list[ConversationLock]) -> None:
        async with self._database.write() as session, session.begin():
            for lock in batch:
                await store.free(session, *lock.place)


def locked(conversation_id: str) -> ConversationLockedError:
    """What is said of a conversation that another request goes on with."""
    return ConversationLockedError(
        f"Another request goes on with the conversation {conversation_id[:200]!r} at this moment.",
        next_step="Try again when it has ended, or use a conversation for each dialogue.",
        param="conversation",
        headers=(("retry-after", "1"),),
    )
