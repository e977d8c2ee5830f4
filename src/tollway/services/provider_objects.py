"""Files and batches that providers keep for projects: whose they are is known here, and only here."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import msgspec
from msgspec.structs import replace

from tollway.chat.items import is_id
from tollway.data import provider_objects
from tollway.data.provider_objects import BATCH, FILE, ObjectRow
from tollway.data.session import Database, ReadSession, WriteSession
from tollway.errors import ConflictError, InvalidRequestError, ModelNotAllowedError, NotFoundError, TollwayError
from tollway.identity.principal import Principal
from tollway.json_object import MALFORMED
from tollway.ledger.quota import Quota, Unit
from tollway.providers.openai_compatible.stored_objects import StoredObject, read_object
from tollway.providers.spec import any_object
from tollway.routing.call import Named
from tollway.routing.catalog import Deployment
from tollway.services.batch_lines import named_in_lines
from tollway.services.batch_meter import BatchMeter, Results
from tollway.services.dialogue_fault import bounded
from tollway.services.inference.fair_thread import FairThread
from tollway.services.inference.measure import boundless
from tollway.services.leases.keeper import LeaseKeeper
from tollway.services.object_exchange import ObjectExchange, ObjectReply, spec_of
from tollway.services.object_owners import ObjectOwners, require_own

SURFACES = {FILE: "files", BATCH: "batches"}
_ASKED_AT_ONCE = 8
_INPUT = "input_file_id"
_FOR_BATCHES = "batch"
_FOLDERS = ("input_blob", "output_folder")
"""By which a cloud reads and writes elsewhere than in files."""
_WHAT = "the list of files and batches"
_encode = msgspec.json.Encoder().encode


class Wish(msgspec.Struct, frozen=True):
    """A page of a list. Attributes: after: id of the last one of the page before; purpose: only files of this one."""

    limit: int
    after: str | None = None
    ascending: bool = False
    purpose: str | None = None


class Upload(msgspec.Struct, frozen=True):
    """A form with a file. Attributes: purpose: what it is for; files: where files begin and end in the body."""

    body: bytes
    content_type: str
    purpose: str
    files: tuple[tuple[int, int], ...]


class ProviderObjects:
    """Serves them."""

    def __init__(
        self,
        *,
        database: Database,
        exchange: ObjectExchange,
        meter: BatchMeter,
        keeper: LeaseKeeper,
        owners: ObjectOwners,
        files: FairThread,
    ) -> None:
        """Args: files: where the lines of those are looked through."""
        self._database = database
        self._exchange = exchange
        self._meter = meter
        self._keeper = keeper
        self._owners = owners
        self._files = files

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[ReadSession]:
        async with bounded(_WHAT, or_else=""), self._database.read() as session:
            yield session

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[WriteSession]:
        async with bounded(_WHAT, or_else=""), self._database.write() as session, session.begin():
            yield session

    async def upload(self, principal: Principal, upload: Upload, named: str) -> ObjectReply:
        """Pass a file on; what the requests in it name must be the project's, as in any request.

        Raises:
            InvalidRequestError: a line of a batch's file is no request.
            NotFoundError, DatabaseUnavailableError, UpstreamError: as all here.
        """
        deployment = self._exchange.choose(principal, SURFACES[FILE], named)
        await self._require_database(principal)
        look = upload.purpose == _FOR_BATCHES and not any_object(deployment)
        if look:
            await self._look_through(principal, deployment, upload.body, upload.files)
        reply = await self._exchange.ask_object(
            deployment, "POST", "files", body=upload.body, content_type=upload.content_type
        )
        await self._keep(principal, FILE, deployment, reply, purpose=upload.purpose, looked_through=look)
        return reply

    async def create_batch(self, principal: Principal, body: bytes, named: str) -> ObjectReply:
        """Start a batch at the provider that keeps its file.

        Raises:
            InvalidRequestError: its file is not named, lies at another provider or is for something else, or a hard
                budget applies.
            ModelNotAllowedError: the key may not use all models, and which ones the file names is not looked at.
            NotFoundError: its lines name what is not the project's.
        """
        fields, asked = _asked_batch(body)
        row = await self._find(principal, FILE, asked, param=_INPUT)
        deployment = self._exchange.at(row.provider_id)
        if named not in {"", deployment.name}:
            raise InvalidRequestError(f"The file {asked[:200]!r} lies at {deployment.name!r}.", param=_INPUT)
        if row.purpose != _FOR_BATCHES:  # whose lines were looked at
            raise InvalidRequestError(
                f"The file {asked[:200]!r} was not uploaded with the purpose `{_FOR_BATCHES}`.", param=_INPUT
            )
        require_own([Named("folder", "", name) for name in _FOLDERS if name in fields], deployment)
        self._exchange.choose(principal, SURFACES[BATCH], deployment.name)
        if principal.allowed_models is not None:
            raise ModelNotAllowedError(
                "This key may use some models only, and a batch may name any.", next_step="Use a key without a list."
            )
        if any(_binds(quota, principal, deployment) for quota in self._keeper.book.quotas.values()):
            raise boundless(_INPUT)
        if not row.looked_through and not any_object(deployment):  # it was uploaded where requests may name anything
            held = await self._exchange.ask(deployment, "GET", SURFACES[FILE], row.id, "content")
            if not held.ok:
                return held
            await self._look_through(principal, deployment, held.body, ((0, len(held.body)),))
        reply = await self._exchange.ask_object(
            deployment, "POST", "batches", body=_encode(fields), content_type="application/json"
        )
        await self._keep(principal, BATCH, deployment, reply)
        return reply

    async def _look_through(
        self, principal: Principal, deployment: Deployment, body: bytes, spans: Iterable[tuple[int, int]]
    ) -> None:
        """Refuse lines that name what is not the project's."""
        named = await self._files.run(principal.organization_id, partial(named_in_lines, body, spans))
        require_own(await self._owners.placed(principal, named), deployment)

    async def get(self, principal: Principal, kind: str, object_id: str) -> ObjectReply:
        """The object as the provider tells it now."""
        return await self._look(principal, await self._find(principal, kind, object_id))

    async def cancel(self, principal: Principal, batch_id: str) -> ObjectReply:
        """Cancel a batch."""
        row = await self._find(principal, BATCH, batch_id)
        deployment = self._exchange.at(row.provider_id)
        reply = await self._exchange.ask_object(deployment, "POST", SURFACES[BATCH], batch_id, "cancel")
        await self._keep(principal, BATCH, deployment, reply)
        return reply

    async def delete(self, principal: Principal, file_id: str) -> ObjectReply:
        """Delete a file.

        Raises:
            ConflictError: it holds results that nobody has read, and so nobody has paid for.
        """
        row = await self._find(principal, FILE, file_id)
        if row.batch_id is not None and row.metered_at is None:
            raise ConflictError(
                "The file holds results of a batch that were not read yet, by which it is metered.",
                next_step=f"Read them first: `GET /v1/files/{file_id[:200]}/content`.",
            )
        deployment = self._exchange.at(row.provider_id)
        reply = await self._exchange.ask(deployment, "DELETE", SURFACES[FILE], file_id)
        if reply.ok:
            async with self._writing() as session:
                await provider_objects.remove(session, principal.project_id, file_id)
        return reply

    async def content(self, principal: Principal, file_id: str) -> ObjectReply:
        """What is in a file. The results of a batch are metered before they are given."""
        row = await self._find(principal, FILE, file_id)
        deployment = self._exchange.at(row.provider_id)
        reply = await self._exchange.ask(deployment, "GET", SURFACES[FILE], file_id, "content")
        if reply.ok and row.batch_id is not None and row.metered_at is None:
            results = Results(row.batch_id, file_id, row.created_at, reply.body)
            await self._meter.enter(principal, deployment, spec_of(deployment), results)
            async with self._writing() as session:
                await provider_objects.set_metered(session, principal.project_id, file_id)
        return reply

    async def page(self, principal: Principal, kind: str, wish: Wish) -> bytes:
        """A page of the project's own: what may have changed is asked for again."""
        after = None if wish.after is None else await self._find(principal, kind, wish.after, param="after")
        async with self._reading() as session:
            rows = await provider_objects.page(
                session,
                principal.project_id,
                kind,
                limit=wish.limit + 1,
                after=after,
                ascending=wish.ascending,
                purpose=wish.purpose,
            )
        shown = await self._told(principal, rows[: wish.limit])
        ids = [row.id for row in rows[: wish.limit]]
        listed = {"object": "list", "data": shown, "has_more": len(rows) > wish.limit}
        return _encode(listed | {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None})

    async def _told(self, principal: Principal, rows: Sequence[ObjectRow]) -> list[msgspec.Raw]:
        turns = asyncio.Semaphore(_ASKED_AT_ONCE)

        async def told(row: ObjectRow) -> bytes | None:
            known = read_object(row.told) if row.told is not None else None
            if known is not None and (row.kind == FILE or known.ended):
                return row.told
            async with turns:
                try:
                    reply = await self._look(principal, row)
                except TollwayError:
                    return row.told
            return reply.body if reply.ok else row.told

        found = await asyncio.gather(*map(told, rows))
        return [msgspec.Raw(each) for each in found if each is not None]

    async def _look(self, principal: Principal, row: ObjectRow) -> ObjectReply:
        deployment = self._exchange.at(row.provider_id)
        reply = await self._exchange.ask_object(deployment, "GET", SURFACES[row.kind], row.id)
        await self._keep(principal, row.kind, deployment, reply)
        return reply

    async def _find(self, principal: Principal, kind: str, object_id: str, *, param: str | None = None) -> ObjectRow:
        row = None
        if is_id(object_id):  # others name nothing, and the database takes no zero byte
            async with self._reading() as session:
                row = await provider_objects.find(session, principal.project_id, kind, object_id)
        if row is None:
            raise NotFoundError(f"This project has no {kind} {object_id[:200]!r}.", param=param)
        return row

    async def _require_database(self, principal: Principal) -> None:
        """What nobody could be said to own must not be made."""
        async with self._reading() as session:
            await provider_objects.find(session, principal.project_id, FILE, "")

    async def _keep(
        self,
        principal: Principal,
        kind: str,
        deployment: Deployment,
        reply: ObjectReply,
        *,
        purpose: str | None = None,
        looked_through: bool = False,
    ) -> None:
        """Note whose the object is, and that the files of results are. Args: purpose: that it was uploaded for."""
        told = reply.told
        if told is None:
            return
        now = datetime.now(UTC)
        own = _row(principal, kind, deployment, told.id, now, told=reply.body, purpose=purpose or told.purpose)
        rows = [replace(own, looked_through=looked_through)]
        rows += [_row(principal, FILE, deployment, each, now, batch_id=told.id) for each in _results_of(kind, told)]
        async with self._writing() as session:
            for row in rows:
                await provider_objects.save(session, row)


def _row(
    principal: Principal,
    kind: str,
    deployment: Deployment,
    object_id: str,
    at: datetime,
    *,
    told: bytes | None = None,
    purpose: str | None = None,
    batch_id: str | None = None,
) -> ObjectRow:
    return ObjectRow(
        project_id=principal.project_id,
        id=object_id,
        kind=kind,
        organization_id=principal.organization_id,
        provider_id=deployment.provider_id,
        key_id=principal.key_id,
        created_at=at,
        told=told,
        purpose=purpose,
        batch_id=batch_id,
    )


def _results_of(kind: str, told: StoredObject) -> list[str]:
    return [each for each in (told.output_file_id, told.error_file_id) if each] if kind == BATCH else []


def _asked_batch(body: bytes) -> tuple[dict[str, msgspec.Raw], str]:
    """The request for a batch, each member once, and the file that it is to work off.

    Raises:
        InvalidRequestError: it is not named.
    """
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        file_id = msgspec.json.decode(fields[_INPUT], type=str)
    except (*MALFORMED, KeyError):
        raise InvalidRequestError(f"`{_INPUT}` must name a file.", param=_INPUT) from None
    return fields, file_id


def _binds(quota: Quota, principal: Principal, deployment: Deployment) -> bool:
    """Whether a hard budget of the project or the key may apply to a batch, whatever models it names."""
    of_callers = quota.user_tag is not None or quota.tag_name is not None or {"user", "tag"} & {*quota.each}
    return (
        quota.binds
        and quota.unit is Unit.USD
        and not of_callers
        and quota.organization_id == principal.organization_id
        and quota.project_id in {None, principal.project_id}
        and quota.key_id in {None, principal.origin_id or principal.key_id}
        and quota.provider in {None, deployment.name}
    )
