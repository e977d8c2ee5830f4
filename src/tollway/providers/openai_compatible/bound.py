"""What a request can cost at the most, in tokens: before it is sent, without a tokenizer.

Every token of a text is at least one byte, and JSON writes no text shorter than UTF-8 does, so the bytes of the body
bound its text. What is not text (`tollway.providers.openai_compatible.media`) counts by its documented maximum. The
output is bounded by the request itself, or not at all: then `RequestBound.output_tokens` is ``None``. What a provider
does at its own discretion has no bound: `RequestBound.boundless` names it.
"""

import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from tollway.errors import InvalidRequestError
from tollway.json_object import MALFORMED, tolerant
from tollway.ledger.bound import UsageBound
from tollway.providers.openai_compatible.media import NO_MESSAGES, Media, find_media, is_plain
from tollway.providers.openai_compatible.output_limits import output_limit
from tollway.routing.call import Call

OUTPUT_LIMITS = (
    "max_completion_tokens",
    "max_tokens",
    "max_output_tokens",
    "max_new_tokens",
    "max_length",
    "n_predict",
    "num_predict",
)
"""The fields that bound the output, of all servers of the dialect: llama.cpp, for one, prefers its ``n_predict``."""
TEMPLATE_TOKENS = 64
"""What a chat template may add beyond the bytes of a request's JSON: a system prompt of its own."""
TOOL_TEMPLATE_TOKENS = 1_024
"""The same with tools: the instructions how to call them."""
_WITHOUT_OUTPUT = frozenset({"embeddings", "moderations"})
_ANSWERS = ("n", "best_of", "n_cmpl", "num_return_sequences")
"""The fields that ask for several answers, of all servers of the dialect."""
_SOURCES = frozenset(
    {
        *("web_search_options", "search_parameters", "plugins", "web_search", "enable_search", "search_options"),
        *("extra_body", "cached_content", "previous_response_id", "conversation"),
        *("images", "videos", "audios", "files", "file_ids"),
    }
)
"""Fields by which the provider reads into the prompt what is not in the body."""
_SEARCH = "search"
"""In the name of a model that searches unasked."""
_MODELS = frozenset({"models", "fallback_models", "fallbacks", "preset"})
"""Fields by which the provider may let another model answer, at another price."""
_BOUNDING = frozenset(
    {*OUTPUT_LIMITS, *_ANSWERS, *_SOURCES, *_MODELS}
    | {"model", "messages", "prompt", "input", "tools", "functions", "modalities", "prediction", "service_tier"}
    | {"stream", "stream_options"}
)
"""All fields that are looked at."""
_ORDINARY = frozenset(
    {"model", "messages", "prompt", "input", "stream", "stream_options", "max_tokens", "max_completion_tokens"}
    | {"temperature", "top_p", "stop", "seed", "n", "user", "safety_identifier", "metadata", "response_format"}
    | {"presence_penalty", "frequency_penalty", "reasoning_effort", "encoding_format", "dimensions"}
)
"""The fields of most requests: none of them is boundless."""
_USUAL = _ORDINARY - {"prompt", "input", "n", "encoding_format", "dimensions"}
_TOOLS = frozenset({"tools", "functions"})
_OWN_TOOLS = frozenset({"function", "custom"})
"""The types of tools that run at the caller's."""
_DRAWS = "image"
"""In the name of a model that draws unasked."""
_RESEARCH = "deep-research"
_RESEARCH_TOKENS_MAX = 262_144
_RESEARCH_SEARCHES_MAX = 64
"""Of models that search and reason many times over for one answer, whatever bound its length has."""
_NFKC_GROWTH_MAX_BYTES = 27
"""U+FDFA: 33 bytes, 6 as an escape."""
COUNT_MAX = 10**9
_PROMPT_BEGINS = b'"['
"""A text, or a list of tokens."""

_decode_text = msgspec.json.Decoder(str).decode
_decode_number = msgspec.json.Decoder(int | float | None).decode
_decode_list = tolerant(msgspec.json.Decoder(list[msgspec.Raw]).decode)


class _Tool(msgspec.Struct, gc=False):
    type: str = ""
    function: msgspec.Raw = msgspec.Raw()


_decode_tools = tolerant(msgspec.json.Decoder(list[_Tool] | None).decode)


class RequestBound(UsageBound, frozen=True, gc=False, kw_only=True):
    """The most that one request makes a provider count, and what it says of its output.

    Attributes:
        text_bytes: bytes of the body that may be text.
        text_only: whether all of the input is text, and all of it is in the body.
        output_tokens: of one answer; ``None`` if the request does not say.
        heeded: whether it says so in a field that the provider heeds.
        longest: what the model writes at the most for one answer; ``None`` if that is not known, or the request says.
        service_tier: the tier that it asks for, empty if none.
        boundless: a field by which it may cost more than any bound tells, empty if there is none.
        boundless_output: the same where only its output has no bound, and so only where output costs anything.
    """

    text_bytes: int
    text_only: bool
    output_tokens: int | None
    heeded: bool
    longest: int | None
    service_tier: str
    boundless: str = ""
    boundless_output: str = ""


def request_bound(
    call: Call,
    *,
    model: str,
    limits: Sequence[str],
    context_tokens: int,
    searches: bool = False,
    media_of: Callable[..., Media | None] = find_media,
) -> RequestBound:
    """The bound of a request.

    Args:
        call: the parsed request.
        model: the name of the model at the provider.
        limits: the fields by which the provider bounds its output.
        context_tokens: what the model can take in at the most: bounds files and searches, as nothing else does.
        searches: whether the provider may search unasked, and counts it.
        media_of: finds what is not text, as the surface writes it.

    Raises:
        InvalidRequestError: a field that bounds the request is no number.
    """
    usual = _usual_bound(call, model, limits, searches=searches)
    if usual is not None:
        return usual
    fields, traits = call.fields, _traits(model)
    media = media_of(fields, model=model)
    ordinary = fields.keys() <= _ORDINARY
    tokens = text_bytes = len(call.body)
    tokens += TEMPLATE_TOKENS if ordinary or fields.keys().isdisjoint(_TOOLS) else TOOL_TEMPLATE_TOKENS
    if media is not None:
        text_bytes -= media.data_bytes
        tokens += media.tokens - media.data_bytes
    if not call.body.isascii() or call.surface in _WITHOUT_OUTPUT:
        tokens += _growth(call)
    reads = traits.searches or not (ordinary or _SOURCES.isdisjoint(fields))
    if reads or (media is not None and media.unbounded):
        tokens = max(tokens, context_tokens)
    output_tokens, heeded = (0, True) if call.surface in _WITHOUT_OUTPUT else _stated_output(fields, limits)
    return RequestBound(
        tokens,
        _answers(fields),
        (_RESEARCH_TOKENS_MAX if traits.researches else 0) + len(fields.get("prediction", b"")),
        media is not None and media.audio,
        media is not None and media.image,
        traits.draws or "modalities" in fields,
        _RESEARCH_SEARCHES_MAX if traits.researches else int(searches or reads),
        text_bytes=text_bytes,
        text_only=media is None and not reads,
        output_tokens=output_tokens,
        heeded=heeded,
        longest=traits.longest if output_tokens is None else None,
        service_tier=_text(fields["service_tier"]) if "service_tier" in fields else "",
        boundless="" if ordinary else _boundless(fields),
    )


def _usual_bound(call: Call, model: str, limits: Sequence[str], *, searches: bool) -> RequestBound | None:
    """The same for what most requests are, in half the time: a chat in texts whose answer one number bounds.

    ``None`` for any other.
    """
    fields, body = call.fields, call.body
    name = "max_tokens" if "max_tokens" in fields else "max_completion_tokens"
    if not (
        name in fields
        and _USUAL.issuperset(fields)
        and (name == "max_completion_tokens" or "max_completion_tokens" not in fields)
        and not _traits(model).unusual
        and body.isascii()
        and (output_tokens := _count(fields, name))
        and is_plain(fields.get("messages", NO_MESSAGES))
    ):
        return None
    size = len(body)
    return RequestBound(
        size + TEMPLATE_TOKENS,
        searches=int(searches),
        text_bytes=size,
        text_only=True,
        output_tokens=output_tokens,
        heeded=name in limits,
        longest=None,
        service_tier="",
    )


class _Traits(msgspec.Struct, frozen=True, gc=False):
    """What the name of a model tells; `unusual`: anything but its longest answer."""

    searches: bool
    researches: bool
    draws: bool
    unusual: bool
    longest: int | None


@lru_cache(maxsize=1_024)
def _traits(model: str) -> _Traits:
    searches, researches, draws = (sign in model for sign in (_SEARCH, _RESEARCH, _DRAWS))
    return _Traits(searches, researches, draws, searches or researches or draws, output_limit(model))


def _boundless(fields: dict[str, msgspec.Raw]) -> str:
    """The field that a bound cannot be known with.

    One is written in another case: servers in Go read it as the field itself, and prefer the last.
    """
    for name in fields:
        if name not in _BOUNDING and name.casefold() in _BOUNDING:
            return name
    if (other := other_models(fields)) is not None:
        return other
    return "tools" if "tools" in fields and _has_tools_of_the_provider(fields["tools"]) else ""


def bounding_extra(extras: dict[str, msgspec.Raw]) -> str:
    """The field, among those that a translation passes on unread, that could raise what it bounded; empty if none."""
    return next((name for name in extras if name.casefold() in _BOUNDING), "")


def other_models(fields: dict[str, msgspec.Raw]) -> str | None:
    """The field by which another model than the one in ``model`` may answer, ``None`` if there is none."""
    for name, value in fields.items():
        if (name in _MODELS and bytes(value) != b"null") or (name.casefold() == "model" and name != "model"):
            return name
    return None


def _has_tools_of_the_provider(raw: msgspec.Raw) -> bool:
    """Whether it may call tools itself, reading their results into the prompt as often as the model likes."""
    try:
        tools = _decode_tools(raw) or ()
    except MALFORMED:
        return True
    return any(tool.type not in _OWN_TOOLS and (tool.type or not bytes(tool.function)) for tool in tools)


def _growth(call: Call) -> int:
    """Bytes that the text may gain before it is cut into tokens: tokenizers bring it into a normal form of Unicode.

    NFC, of chat models, makes nothing longer than its escape in JSON; NFKC, of embedding models, does.
    """
    embedded = call.surface in _WITHOUT_OUTPUT
    form: Literal["NFC", "NFKC"] = "NFKC" if embedded else "NFC"
    text = call.body.decode()
    growth = call.body.count(b"\\u") * _NFKC_GROWTH_MAX_BYTES if embedded else 0
    if not unicodedata.is_normalized(form, text):
        growth += max(len(unicodedata.normalize(form, text).encode()) - len(call.body), 0)
    return growth


def _stated_output(fields: dict[str, msgspec.Raw], limits: Sequence[str]) -> tuple[int | None, bool]:
    """The bound of one answer that the request states, and whether the provider heeds it.

    It may heed a field that lifts the bound (-1) instead.
    """
    stated: int | None = None
    heeded, lifted = False, False
    for name in OUTPUT_LIMITS:
        if name in fields:
            count = _count(fields, name)
            if count is not None:
                stated = max(count, stated or 0)
                heeded = heeded or name in limits
            else:
                lifted = lifted or bytes(fields[name]) != b"null"
    return stated, heeded and not lifted


def _answers(fields: dict[str, msgspec.Raw]) -> int:
    """How many answers are generated: ``n`` or ``best_of``, for each prompt."""
    answers = 1
    for name in _ANSWERS:
        if name in fields:
            answers = max(answers, _count(fields, name) or 1)
    if "prompt" in fields:
        answers *= _prompts(fields["prompt"])
    return answers


def _prompts(raw: msgspec.Raw) -> int:
    """How many prompts: a list of numbers is one, in tokens."""
    try:
        prompts = _decode_list(raw)
    except msgspec.DecodeError:
        return 1
    return max(sum(memoryview(each)[0] in _PROMPT_BEGINS for each in prompts), 1)


def _text(raw: msgspec.Raw) -> str:
    try:
        return _decode_text(raw)
    except msgspec.DecodeError:
        return ""


def _count(fields: dict[str, msgspec.Raw], name: str) -> int | None:
    """A whole number from 1 on; ``None`` for null and for what means "no bound" (-1)."""
    try:
        number = _decode_number(fields[name])
    except MALFORMED:
        raise InvalidRequestError(f"`{name}` must be a whole number.", param=name) from None
    if number is None or number < 1:
        return None
    if number > COUNT_MAX or number != int(number):
        raise InvalidRequestError(f"`{name}` must be a whole number up to {COUNT_MAX}.", param=name)
    return int(number)
