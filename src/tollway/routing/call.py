"""The one internal form of a request to a model, whatever dialect it came in, and of the endpoint it came to."""

import msgspec


class Surface(msgspec.Struct, frozen=True):
    """One endpoint that asks a model.

    Attributes:
        name: what the ledger calls it.
        path: where callers find it.
        upstream_path: where a provider of the same dialect has it, below its base URL.
        required: fields that the body must have besides ``model``.
        streams: whether it can be asked for a stream.
        dialect: name of the dialect it speaks: how its errors look, and how it is translated.
        cacheable: whether the same request may get the same answer again.
        translates: whether a provider of another dialect can stand in for one that has the surface itself.
        remembers: whether a request may go on with what was kept of earlier ones.
        form: whether its body may be a multipart form.
        flows: whether a whole reply goes on as it comes: it is long, and nothing in it is read.
    """

    name: str
    path: str
    upstream_path: str
    required: tuple[str, ...]
    streams: bool
    dialect: str = "chat"
    translates: bool = False
    cacheable: bool = False
    remembers: bool = False
    form: bool = False
    flows: bool = False


class Form(msgspec.Struct, frozen=True, gc=False):
    """How a body that is a multipart form holds what was read of it.

    Attributes:
        content_type: the caller's header, which names the boundary between the parts.
        model_at: where the value of ``model`` begins and ends.
        files: the fields that are files, in their order: name, where it begins and where it ends.
        file_bytes: size of the files together.
    """

    content_type: str
    model_at: tuple[int, int]
    files: tuple[tuple[str, int, int], ...]
    file_bytes: int


class Recalled(msgspec.Struct, frozen=True):
    """What Tollway keeps between the requests of one dialogue, as far as it matters to this one.

    Attributes:
        told: members of the reply that say what the caller asked for, whatever the provider says of them.
        items: how many items at the head of ``input`` are from earlier requests.
    """

    told: dict[str, msgspec.Raw]
    items: int = 0


class Named(msgspec.Struct, frozen=True):
    """An object at a provider that a request names; see `tollway.providers.named_objects`.

    Attributes:
        kind: what it is, in words: ``file``.
        id: its name there.
        param: where in the request it stands.
        provider_id: UUID of the provider where the project of the request has it, empty if nowhere.
    """

    kind: str
    id: str
    param: str | None
    provider_id: str = ""


class Call(msgspec.Struct):
    """A parsed request. The body is decoded at its top level only: every value keeps the text it came in.

    Attributes:
        surface: name of the surface, for instance ``chat``.
        model: the model as the caller named it.
        fields: the top level of the body, values raw.
        body: the bytes as they came.
        stream: whether the caller asked for a stream.
        wants_usage: whether the caller asked for usage at the end of the stream.
        user_tag: the end user the caller names, empty if none.
        tags: sorted ``(name, value)`` pairs from ``metadata`` and ``x-tollway-tags``.
        headers: the caller's headers that a provider of the same dialect gets as well, names in lower case.
        form: how the body holds all this if it is a multipart form; each of `fields` is then a JSON string.
        recalled: what was kept of the dialogue it goes on with; its `fields` and `body` hold that already.
        named: the objects at providers that it names.
    """

    surface: str
    model: str
    fields: dict[str, msgspec.Raw]
    body: bytes
    stream: bool = False
    wants_usage: bool = False
    user_tag: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    recalled: Recalled | None = None
    form: Form | None = None
    named: tuple[Named, ...] = ()

    @property
    def text_bytes(self) -> int:
        """Size of the body but for files, which are no text."""
        return len(self.body) if self.form is None else len(self.body) - self.form.file_bytes
