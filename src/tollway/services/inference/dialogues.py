"""The way into the pipeline for requests that may go on with earlier ones.

What went before becomes a part of the request, so that every provider can go on with it, whatever state it has itself.
A request that goes on with nothing needs no database; its response is kept off its path.
"""

from collections.abc import Callable
from functools import partial

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from tollway.chat.compaction import are_folded, unfolded
from tollway.chat.dialect import KeepingDialect
from tollway.chat.items import items_of, joined, referred
from tollway.chat.turn import Turn
from tollway.identity.principal import Principal, Scope
from tollway.ids import uuid7
from tollway.routing.call import Call, Recalled
from tollway.services.authenticate import Authenticator, require_scope
from tollway.services.conversation_lock import ConversationLocks
from tollway.services.dialogue_load import DialogueLoad
from tollway.services.inference.background import Backgrounds
from tollway.services.inference.dialogue_wish import Wish, read_wish
from tollway.services.inference.event_stream import tell_events
from tollway.services.inference.exchange import Caller, Inbound
from tollway.services.inference.fair_thread import FairThread
from tollway.services.inference.keeping import Keeping
from tollway.services.inference.pipeline import Pipeline
from tollway.services.inference.places import Places
from tollway.services.inference.truncation import fit
from tollway.services.response_events import ResponseEvents
from tollway.services.response_store import Kept, ResponseStore

_encode = msgspec.json.Encoder().encode
_decode_count = msgspec.json.Decoder(int | None, strict=False).decode
_NOTHING = Turn([], Raw(b"null"))
_STATE = ("previous_response_id", "conversation", "background")


class Dialogues:
    """Runs requests with what went before them.

    Attributes:
        store: keeps responses.
        events: tells those of responses in the background.
        backgrounds: what runs on alone.
        counting: where tokens are counted.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        authenticator: Authenticator,
        places: Places,
        load: DialogueLoad,
        locks: ConversationLocks,
        store: ResponseStore,
        events: ResponseEvents,
        backgrounds: Backgrounds,
        counting: FairThread,
        context_tokens: Callable[[str, Principal], int],
    ) -> None:
        """Args: context_tokens: what a model can take in at the most, by its name; 0 if that is not known."""
        self.counting = counting
        self._pipeline = pipeline
        self._authenticator = authenticator
        self._places = places
        self._load = load
        self._locks = locks
        self.store = store
        self.events = events
        self.backgrounds = backgrounds
        self._context_tokens = context_tokens

    async def run(self, inbound: Inbound, caller: Caller) -> None:
        """Serve one request.

        Raises:
            NotFoundError, ContentNotKeptError, DatabaseUnavailableError: see `DialogueLoad`.
            ConversationLockedError: another request goes on with the conversation.
            TollwayError, asyncio.CancelledError: as `Pipeline.run`.
        """
        if not inbound.surface.remembers:
            await self._pipeline.run(inbound, caller)
            return
        principal = self._authenticator.cached(inbound.key) or await self._authenticator.authenticate(inbound.key)
        require_scope(principal, Scope.INFERENCE)
        with self._places:
            call = inbound.parse(await caller.read_body())
            wish = read_wish(call, principal)
            lock = None if wish.conversation_id is None else await self._locks.take(principal, wish.conversation_id)
        kept = Kept(principal, "", _NOTHING, wish.previous_id, wish.conversation_id, lock)
        try:
            await self._go_on(inbound, call, wish, kept, caller)
        finally:
            if lock is not None and not lock.passed_on:
                lock.give_back()

    async def _go_on(self, inbound: Inbound, call: Call, wish: Wish, kept: Kept, caller: Caller) -> None:
        body = call.body
        with self._places:
            call, added = await self.recalled(call, wish, kept.principal, items_of(call.fields.get("input")))
        inbound = replace(inbound, parse=lambda _: call)
        kept = replace(kept, turn=Turn(added, _NOTHING.response))
        if wish.background:
            await self._run_in_background(inbound, call, body, kept, caller)
        else:
            keeping = Keeping(caller, body, kept if wish.keeps else None, self.store.last_byte)
            await self._pipeline.run(inbound, keeping)

    async def aclose(self) -> None:
        """Give what waits to be written a last moment."""
        await self.store.aclose()
        await self._locks.aclose()

    async def recalled(self, call: Call, wish: Wish, principal: Principal, added: list[Raw]) -> tuple[Call, list[Raw]]:
        """The request with what went before it, and the items that it adds to that.

        Raises:
            NotFoundError, ContentNotKeptError, InvalidRequestError, DatabaseUnavailableError: see `DialogueLoad`.
        """
        history: list[Raw] = []
        if wish.previous_id is not None:
            history = await self._load.after_response(principal, wish.previous_id)
        elif wish.conversation_id is not None:
            history = await self._load.of_conversation(principal, wish.conversation_id)
        wanted = referred(added)
        if wanted:
            found = await self._load.referred(principal, wanted, history, wish.conversation_id)
            added = [found.get(position, item) for position, item in enumerate(added)]
        told = wish.told | ({"id": Raw(_encode(_new_id()))} if wish.background else {})
        recalled = Recalled(told, len(history)) if told or history else None
        items = [*history, *added]
        if history or wanted or are_folded(items) or any(name in call.fields for name in _STATE):
            items = unfolded(items)
            call = _with_input(call, items)
        call = replace(call, recalled=recalled)
        if wish.truncates:
            call = await self._truncated(call, principal, items)
        return call, added

    async def _truncated(self, call: Call, principal: Principal, items: list[Raw]) -> Call:
        context_tokens = self._context_tokens(call.model, principal)
        if not context_tokens:
            return call
        bound = call.fields.get("max_output_tokens", Raw(b"null"))
        try:
            output_tokens = _decode_count(bound)
        except msgspec.DecodeError:
            output_tokens = None
        kept = await fit(
            items,
            partial(self.counting.run, principal.organization_id),
            body_bytes=len(call.body),
            context_tokens=context_tokens,
            output_tokens=output_tokens,
        )
        if kept is None:
            return call
        recalled = call.recalled or Recalled({})
        left = max(recalled.items - (len(items) - len(kept)), 0)
        return replace(_with_input(call, kept), recalled=replace(recalled, items=left))

    async def _run_in_background(self, inbound: Inbound, call: Call, body: bytes, kept: Kept, caller: Caller) -> None:
        dialect: KeepingDialect = inbound.dialect  # type: ignore[assignment]  # a surface that remembers has such a one
        assert call.recalled is not None  # noqa: S101 -- it tells the id
        kept = replace(kept, id=msgspec.json.decode(call.recalled.told["id"], type=str), background=True)
        if not inbound.own_id:
            inbound = replace(inbound, own_id=uuid7())
        caller.unwatch()
        queued = await self.backgrounds.start(inbound, dialect, call, body, kept)
        if kept.lock is not None:
            kept.lock.passed_on = True
        if call.stream:
            await self._follow(kept, caller, inbound.request_id)
            return
        headers = (
            (b"content-type", b"application/json"),
            (b"content-length", str(len(queued)).encode()),
            (b"x-request-id", inbound.request_id.encode()),
        )
        await caller.start(200, headers)
        await caller.finish(queued)

    async def _follow(self, kept: Kept, caller: Caller, request_id: str) -> None:
        """Tell the caller what is told of a response; it runs on when the caller leaves."""
        events = await self.events.follow(kept.principal, kept.id)
        await tell_events(caller, events, [(b"x-request-id", request_id.encode())])


def _with_input(call: Call, items: list[Raw]) -> Call:
    """The request with these items, and without what it says of state: that is done."""
    fields = {name: value for name, value in call.fields.items() if name not in _STATE}
    fields["input"] = joined(items)
    return replace(call, fields=fields, body=_encode(fields))


def _new_id() -> str:
    return "resp_" + uuid7().replace("-", "")
