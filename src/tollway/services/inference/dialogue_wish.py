"""What a request says of state: what it goes on with, whether it is kept, where it runs. No I/O."""

import msgspec
from msgspec import Raw

from tollway.chat.items import ITEM_ID_MAX_CHARS, is_id
from tollway.errors import ContentNotKeptError, InvalidRequestError
from tollway.identity.principal import Principal
from tollway.routing.call import Call
from tollway.services.dialogue_fault import KEEP_CONTENT

_FULL = "full"


class _Conversation(msgspec.Struct):
    id: str


_decode_conversation = msgspec.json.Decoder(str | _Conversation | None).decode
_decode_text = msgspec.json.Decoder(str | None).decode
_decode_flag = msgspec.json.Decoder(bool | None).decode
_encode = msgspec.json.Encoder().encode
_NULL = Raw(b"null")


class Wish(msgspec.Struct, frozen=True):
    """What is asked for.

    Attributes:
        keeps: whether anything of the response is kept.
        previous_id: the response it goes on with.
        conversation_id: the conversation it goes on with and appends to.
        background: whether it runs on without its caller.
        truncates: whether its oldest items may be left out where all of them are too many.
        told: members of the reply that tell of this, whatever a provider says of them.
    """

    keeps: bool
    previous_id: str | None
    conversation_id: str | None
    background: bool
    truncates: bool
    told: dict[str, Raw]


def read_wish(call: Call, principal: Principal) -> Wish:
    """What a request asks for.

    Raises:
        InvalidRequestError: a field is not what it should be, or contradicts another one.
        ContentNotKeptError: it needs content to be kept, and the project keeps none.
    """
    store = _flag(call, "store")
    background = bool(_flag(call, "background"))
    previous_id, conversation_id = _text(call, "previous_response_id"), _conversation(call)
    if previous_id is not None and conversation_id is not None:
        raise InvalidRequestError(
            "`previous_response_id` and `conversation` cannot be used together.",
            next_step="Send one of them.",
            param="previous_response_id",
        )
    for name, asked in (("background", background), ("conversation", conversation_id is not None)):
        if asked and store is False:
            raise InvalidRequestError(
                f"`{name}` needs the response to be stored.", next_step="Leave `store` out.", param=name
            )
    _require_content(principal, store=bool(store), background=background, conversation=conversation_id is not None)
    keeps = store is not False and principal.store_content != "none"
    told: dict[str, Raw] = {}
    if store is not False:
        told["store"] = Raw(b"true" if keeps and principal.store_content == _FULL else b"false")
    if previous_id is not None:
        told["previous_response_id"] = Raw(_encode(previous_id))
    if conversation_id is not None:
        told["conversation"] = Raw(_encode({"id": conversation_id}))
    if background:
        told["background"] = Raw(b"true")
    return Wish(keeps, previous_id, conversation_id, background, _truncates(call), told)


def _require_content(principal: Principal, *, store: bool, background: bool, conversation: bool) -> None:
    if principal.store_content == _FULL:
        return
    asked = {"store": store, "background": background, "conversation": conversation}
    name = next((name for name, is_asked in asked.items() if is_asked), None)
    if name is not None:
        raise ContentNotKeptError(
            f"`{name}` needs content to be kept, and this project's setting `store_content` is "
            f"`{principal.store_content}`.",
            next_step=f"Leave it out and send the whole dialogue as input, or {KEEP_CONTENT}.",
            param=name,
        )


def _truncates(call: Call) -> bool:
    truncation = _text(call, "truncation")
    if truncation not in {None, "auto", "disabled"}:
        raise InvalidRequestError("`truncation` must be auto or disabled.", param="truncation")
    return truncation == "auto"


def _flag(call: Call, name: str) -> bool | None:
    try:
        found: bool | None = _decode_flag(call.fields.get(name, _NULL))
    except msgspec.DecodeError:
        raise InvalidRequestError(f"`{name}` must be true or false.", param=name) from None
    return found


def _text(call: Call, name: str) -> str | None:
    try:
        found = _decode_text(call.fields.get(name, _NULL))
    except msgspec.DecodeError:
        raise InvalidRequestError(f"`{name}` must be a string.", param=name) from None
    return _checked(found, name)


def _conversation(call: Call) -> str | None:
    try:
        found = _decode_conversation(call.fields.get("conversation", _NULL))
    except msgspec.DecodeError:
        raise InvalidRequestError(
            "`conversation` must be an id, or an object with one.", param="conversation"
        ) from None
    return _checked(found.id if isinstance(found, _Conversation) else found, "conversation")


def _checked(id_: str | None, name: str) -> str | None:
    """An id that the database can be asked for."""
    if id_ is not None and not is_id(id_):
        raise InvalidRequestError(f"`{name}` must have 1 to {ITEM_ID_MAX_CHARS} printable characters.", param=name)
    return id_
