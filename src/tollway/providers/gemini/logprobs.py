"""Probabilities of tokens, in the form of OpenAI's chat completions.

Source: https://ai.google.dev/api/generate-content#LogprobsResult
"""

import msgspec
from msgspec import Raw

from tollway.json_object import MALFORMED, tolerant
from tollway.providers.gemini.schema import ABSENT


class _Token(msgspec.Struct, rename="camel", gc=False):
    token: str = ""
    log_probability: float = 0.0


class _Step(msgspec.Struct, gc=False):
    candidates: list[_Token] = []


class _Result(msgspec.Struct, rename="camel", gc=False):
    chosen_candidates: list[_Token] = []
    top_candidates: list[_Step] = []


class _Alternative(msgspec.Struct, gc=False):
    token: str
    logprob: float
    bytes: list[int]


class _Chosen(msgspec.Struct, gc=False):
    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[_Alternative]


class _Logprobs(msgspec.Struct, gc=False):
    content: list[_Chosen]
    refusal: None = None


_decode = tolerant(msgspec.json.Decoder(_Result).decode)
_encode = msgspec.json.Encoder().encode


def read_logprobs(raw: Raw) -> Raw | None:
    """``{"content": [{token, logprob, bytes, top_logprobs}], "refusal": null}``; ``None`` if there are none."""
    if raw == ABSENT:
        return None
    try:
        found = _decode(raw)
    except MALFORMED:
        return None
    if not found.chosen_candidates:
        return None
    steps = found.top_candidates
    content = [
        _Chosen(
            chosen.token,
            chosen.log_probability,
            _bytes(chosen.token),
            [_Alternative(each.token, each.log_probability, _bytes(each.token)) for each in steps[place].candidates]
            if place < len(steps)
            else [],
        )
        for place, chosen in enumerate(found.chosen_candidates)
    ]
    return Raw(_encode(_Logprobs(content)))


def _bytes(token: str) -> list[int]:
    return list(token.encode("utf-8", "replace"))
