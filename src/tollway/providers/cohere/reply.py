"""A whole reply, and what it shares with a stream: reasons, citations, probabilities.

The plan for the calls (``tool_plan``) is text before them.
"""

import re
from collections.abc import Iterator

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from tollway.chat.message import Citation, Part, TextPart, ThinkingPart, ToolCallPart
from tollway.chat.reply import ChatReply, Choice, Stop
from tollway.json_object import MALFORMED, tolerant
from tollway.providers.cohere.schema import ABSENT, LogprobItem, WireCitation, WireMessage, decode_response
from tollway.providers.usage.cohere import parse_usage
from tollway.providers.wire_names import COHERE

STOPS = {
    "COMPLETE": Stop.END,
    "STOP_SEQUENCE": Stop.SEQUENCE,
    "MAX_TOKENS": Stop.LENGTH,
    "TOOL_CALL": Stop.TOOL_CALLS,
    "ERROR_LIMIT": Stop.CONTEXT,
    "ERROR_TOXIC": Stop.FILTER,
}
"""Why an answer ended; what is not here is `Stop.OTHER`."""
DOCUMENT_ID = "document-"
"""Beginning of the ids that documents of a request get, before their number."""
PLAN = "PLAN"
_DOCUMENT = re.compile(re.escape(DOCUMENT_ID) + r"(?P<number>[0-9]{1,6})(?::[0-9]+)?")


class _Document(msgspec.Struct, gc=False):
    title: str | None = None
    url: str | None = None


class _Source(msgspec.Struct, gc=False):
    type: str | None = None
    id: str | None = None
    document: _Document | None = None


class _Entry(msgspec.Struct, gc=False):
    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: tuple[()] = ()


class _Logprobs(msgspec.Struct, gc=False):
    content: list[_Entry]
    refusal: None = None


_decode_source = tolerant(msgspec.json.Decoder(_Source).decode)
_encode = msgspec.json.Encoder().encode


def parse_reply(body: bytes) -> ChatReply | None:
    """The reply; ``None`` if it is none. Never raises."""
    try:
        response = decode_response(body)
    except MALFORMED:
        return None
    reason = response.finish_reason
    choice = Choice(
        parts=tuple(_parts(response.message)),
        stop=STOPS.get(reason, Stop.OTHER) if reason else None,
        logprobs=read_logprobs(response.logprobs or []),
        beside=_beside(response.message),
    )
    usage = parse_usage(response.usage) if response.usage != ABSENT else None
    return ChatReply(id=response.id or "", choices=(choice,), usage=usage)


def _parts(message: WireMessage) -> Iterator[Part]:
    cited = message.citations or []
    plan = TextPart(text=message.tool_plan, citations=_of(cited, None)) if message.tool_plan else None
    texts = [index for index, block in enumerate(message.content or ()) if block.text is not None]
    for index, block in enumerate(message.content or ()):
        if block.thinking is not None:
            yield ThinkingPart(text=block.thinking, source=COHERE)
        elif block.text is not None:
            yield TextPart(text=block.text, citations=_of(cited, index, sole=len(texts) == 1))
    if plan is not None:
        yield plan
    for call in message.tool_calls or ():
        function = call.function
        if function is not None:
            yield ToolCallPart(id=call.id or "", name=function.name or "", arguments=function.arguments or "")


def _beside(message: WireMessage) -> dict[str, list[Raw]]:
    """Citations of what has none in other formats: of thoughts."""
    texts = [index for index, block in enumerate(message.content or ()) if block.text is not None]
    left = [
        Raw(_encode(each))
        for each in message.citations or ()
        if (each.type != PLAN and len(texts) != 1 and (each.content_index or 0) not in texts)
        or (each.type == PLAN and not message.tool_plan)
    ]
    return {"citations": left} if left else {}


def _of(cited: list[WireCitation], index: int | None, *, sole: bool = False) -> tuple[Citation, ...]:
    """The citations of one text. Args: index: of it in the content, ``None`` for the plan; sole: no other is there."""
    if index is None:
        mine = [each for each in cited if each.type == PLAN]
    else:
        mine = [each for each in cited if each.type != PLAN and (sole or (each.content_index or 0) == index)]
    return tuple(citation for each in mine for citation in read_citations(each))


def read_citations(wire: WireCitation) -> Iterator[Citation]:
    """One for each source, with the source as it came."""
    for raw in wire.sources or ():
        try:
            source = _decode_source(raw)
        except MALFORMED:
            continue
        yield replace(
            _cited(source),
            text=wire.text or "",
            unit="" if wire.start is None else "answer",
            start=wire.start,
            end=wire.end,
            extra={"source": Raw(bytes(raw))},
        )


def _cited(source: _Source) -> Citation:
    if source.type != "document":
        return Citation("search_result", title=source.id or "")
    found = _DOCUMENT.fullmatch(source.id or "")
    document = source.document or _Document()
    return Citation(
        "document",
        title=document.title or "",
        url=document.url or "",
        document=None if found is None else int(found["number"]),
    )


def read_logprobs(items: list[LogprobItem]) -> Raw | None:
    """Probabilities in the form of OpenAI's chat completions: of texts of one or more tokens, as Cohere tells them."""
    content = [
        _Entry(item.text or "", sum(item.logprobs), list((item.text or "").encode("utf-8", "replace")))
        for item in items
        if item.logprobs
    ]
    return Raw(_encode(_Logprobs(content))) if content else None
