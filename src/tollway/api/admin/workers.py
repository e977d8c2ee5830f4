"""Workers: those that live, and those that died before they gave back what they had leased."""

from http import HTTPStatus

from fastapi import APIRouter

from tollway.api.admin.auth import Platform, Services
from tollway.api.admin.models.worker import Worker
from tollway.api.admin.pagination import Listing, Paging, listing
from tollway.api.admin.paths import IdPath
from tollway.api.admin.problems import CONFLICT

router = APIRouter(prefix="/workers", tags=["workers"])


@router.get("")
async def list_workers(caller: Platform, services: Services, page: Paging) -> Listing[Worker]:
    """The workers of the installation. Scope: `platform`."""
    _ = caller
    rows = await services.worker_list().page(page)
    return listing(rows, page, show=Worker.of, id_of=lambda row: row.id)


@router.delete("/{worker}", status_code=HTTPStatus.NO_CONTENT, responses=CONFLICT)
async def give_up_worker(worker: IdPath, caller: Platform, services: Services) -> None:
    """Give up a worker whose machine is lost, so that what it had leased may be spent again. Scope: `platform`.

    What its journal held and the ledger lacks is then counted nowhere: a budget may have been spent further than it
    shows. A worker that died on a machine that lives gives back by itself.
    """
    await services.worker_give_up().give_up(worker, caller=caller)
