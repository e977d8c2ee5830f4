"""``/v1/files…`` and ``/v1/batches…``: what providers keep for the project of the caller."""

from urllib.parse import parse_qs

from tollway.api.dialects.openai_form import is_form, split_form
from tollway.api.inference.stored import ID, Asked, Routes, Told
from tollway.chat.items import is_id
from tollway.data.provider_objects import BATCH, FILE
from tollway.errors import InvalidRequestError
from tollway.services.object_exchange import HEADER, ObjectReply
from tollway.services.provider_objects import ProviderObjects, Upload, Wish

_FILES, _BATCHES = "/v1/files", "/v1/batches"
_LIMIT_DEFAULT, _LIMIT_MAX = {FILE: 100, BATCH: 20}, 100
_ORDERS = {"": False, "desc": False, "asc": True}


class ObjectEndpoints:
    """Answers them."""

    def __init__(self, objects: ProviderObjects) -> None:
        self._objects = objects

    @property
    def routes(self) -> Routes:
        """Where they are."""
        return (
            (_FILES, {"POST": self._upload, "GET": self._files}),
            (f"{_FILES}/{ID}", {"GET": self._file, "DELETE": self._delete}),
            (f"{_FILES}/{ID}/content", {"GET": self._content}),
            (_BATCHES, {"POST": self._create, "GET": self._batches}),
            (f"{_BATCHES}/{ID}", {"GET": self._batch}),
            (f"{_BATCHES}/{ID}/cancel", {"POST": self._cancel}),
        )

    async def _upload(self, asked: Asked) -> Told:
        body = await asked.caller.read_body()
        content_type = asked.headers.get(b"content-type", b"")
        if not is_form(asked.headers):
            raise InvalidRequestError("A file is sent as a multipart form.", param="file")
        upload = _upload_of(body, content_type)
        return _told(await self._objects.upload(asked.principal, upload, _named(asked)))

    async def _files(self, asked: Asked) -> bytes:
        return await self._objects.page(asked.principal, FILE, _wish(FILE, asked.query))

    async def _file(self, asked: Asked) -> Told:
        return _told(await self._objects.get(asked.principal, FILE, asked.ids[0]))

    async def _delete(self, asked: Asked) -> Told:
        return _told(await self._objects.delete(asked.principal, asked.ids[0]))

    async def _content(self, asked: Asked) -> Told:
        return _told(await self._objects.content(asked.principal, asked.ids[0]))

    async def _create(self, asked: Asked) -> Told:
        body = await asked.caller.read_body()
        return _told(await self._objects.create_batch(asked.principal, body, _named(asked)))

    async def _batches(self, asked: Asked) -> bytes:
        return await self._objects.page(asked.principal, BATCH, _wish(BATCH, asked.query))

    async def _batch(self, asked: Asked) -> Told:
        return _told(await self._objects.get(asked.principal, BATCH, asked.ids[0]))

    async def _cancel(self, asked: Asked) -> Told:
        return _told(await self._objects.cancel(asked.principal, asked.ids[0]))


def _upload_of(body: bytes, content_type: bytes) -> Upload:
    """What is sent, with a purpose that all readers find in it."""
    parts = split_form(body, content_type)
    purposes = [body[part.start : part.end].decode(errors="replace") for part in parts if part.name == "purpose"]
    if len(purposes) != 1 or not is_id(purposes[0]):
        raise InvalidRequestError("`purpose` must be there once, as a text.", param="purpose")
    files = [part for part in parts if part.is_file or part.name == "file"]
    if not files or not all(part.is_plain for part in files):
        raise InvalidRequestError("The form must hold a file, as it is and not encoded.", param="file")
    spans = tuple((part.start, part.end) for part in files)
    return Upload(body, content_type.decode("latin-1"), purposes[0], spans)


def _told(reply: ObjectReply) -> Told:
    return Told(reply.status, reply.content_type, reply.body)


def _named(asked: Asked) -> str:
    return asked.headers.get(HEADER.encode(), b"").decode("latin-1")


def _wish(kind: str, query: bytes) -> Wish:
    """Which ones are asked for. OpenAI gives up to 10,000 files at once; here are `_LIMIT_MAX`, and then more."""
    try:
        values = {name: each[-1] for name, each in parse_qs(query.decode(), max_num_fields=16).items()}
    except ValueError:
        raise InvalidRequestError("The query cannot be read.") from None
    limit, order = values.get("limit", str(_LIMIT_DEFAULT[kind])), values.get("order", "")
    if not (limit.isdecimal() and limit.isascii() and len(limit) <= len("10000") and int(limit)):
        raise InvalidRequestError("`limit` must be a number from 1 to 10000.", param="limit")
    if order not in _ORDERS:
        raise InvalidRequestError("`order` must be `asc` or `desc`.", param="order")
    for name, value in values.items():
        if value and not is_id(value):
            raise InvalidRequestError(f"`{name[:64]}` holds what names nothing.", param=name[:64])
    return Wish(min(int(limit), _LIMIT_MAX), values.get("after"), _ORDERS[order], values.get("purpose"))
