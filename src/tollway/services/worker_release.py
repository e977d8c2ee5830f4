"""Return what a worker that is gone had leased and did not spend."""

import structlog

from tollway.data.session import Database
from tollway.data.settlements import release
from tollway.ids import is_uuid

_log = structlog.get_logger(__name__)


class WorkerRelease:
    """Gives up a worker: its leases return to their windows, and its running idempotency keys are free again.

    Only right once nothing it spent is missing in the ledger: after its journal was drained, or when an operator gives
    a lost journal up.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def release(self, worker_id: str) -> int:
        """Release the worker; returns how many leases it had. Releasing it again changes nothing.

        Raises:
            DatabaseUnavailableError: nothing was changed; try again.
        """
        if not is_uuid(worker_id):  # the directory of a journal, named by somebody else: no worker has leases under it
            return 0
        async with self._database.write() as session, session.begin():
            leases = await release(session, worker_id)
        if leases:
            _log.info("worker_released", worker=worker_id, leases=leases)
        return leases
