"""Pictures, speech and sound: streams cut anywhere, counts by surface, bounds that nothing exceeds."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.forms import form_body
from support.replies import event, recut
from tollway.api.dialects.openai import OpenAIDialect
from tollway.api.inference.surfaces import SURFACES
from tollway.errors import InvalidRequestError
from tollway.ledger.bound import cost_bound
from tollway.ledger.price import PriceSheet, Rate
from tollway.ledger.rating import rate
from tollway.ledger.usage import Usage
from tollway.providers.openai_compatible.media_adapter import METERS, MediaAdapter
from tollway.providers.openai_compatible.media_stream import MediaStreamReader
from tollway.providers.registry import OPENAI_COMPATIBLE
from tollway.providers.sse import EVENT_MAX_BYTES
from tollway.routing.call import Call

BOUNDARY = "a-boundary"
WAVE = b"RIFF\x00\x00\x00\x00WAVEfmt " + bytes(12) + (32_000).to_bytes(4, "little") + bytes(64_000 - 32)


def call_of(surface: str, model: str = "p/gpt-image-1", **fields: Any) -> Call:
    row = next(each for each in SURFACES.values() if each.name == surface)
    body = {"model": model, "prompt": "a", "input": "a"} | fields
    if row.form and any(isinstance(value, bytes) for value in fields.values()):
        headers = {b"content-type": f"multipart/form-data; boundary={BOUNDARY}".encode()}
        return OpenAIDialect().parse(form_body(body, BOUNDARY), surface=row, headers=headers)
    return OpenAIDialect().parse(json.dumps(body).encode(), surface=row, headers={})


def adapter_of(call: Call) -> MediaAdapter:
    return MediaAdapter(METERS[call.surface], call, call.model.partition("/")[2])


def counted(call: Call, reply: Any) -> Usage | None:
    body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
    answer = adapter_of(call).parse_reply(body, spec=OPENAI_COMPATIBLE)
    assert answer is not None
    return answer.usage


def reader_of(call: Call) -> MediaStreamReader:
    return adapter_of(call).stream_reader(call, spec=OPENAI_COMPATIBLE)


def whole_picture(tokens: int) -> dict[str, Any]:
    usage = {"input_tokens": 5, "output_tokens": tokens, "total_tokens": 5 + tokens}
    return {"type": "image_generation.completed", "b64_json": "iVBORw0KGgo=" * 200, "usage": usage}


@given(
    st.lists(st.sampled_from(["partial", "whole", "comment"]), min_size=1, max_size=8),
    st.integers(),
    st.integers(40, 3_000),
    st.sampled_from([b"", b"data: [DONE]\n\n"]),
)
def test_a_stream_passes_byte_for_byte_however_it_is_cut_and_its_pictures_add_up(
    kinds: list[str], seed: int, longest: int, end: bytes
) -> None:
    made = {
        "partial": event({"type": "image_generation.partial_image", "b64_json": "iVBOR" * 100}),
        "whole": b"event: image_generation.completed\n" + event(whole_picture(7)),
        "comment": b": keep-alive\r\n\r\n",
    }
    body = b"".join(made[kind] for kind in kinds) + end
    reader = reader_of(call_of("images", stream=True))
    passed = b"".join(reader.feed(chunk) for chunk in recut(body, seed, longest=longest))
    if kinds[-1] == "whole":
        assert passed == body[: -len(made["whole"] + end)]  # the last one waits until the entry is written
    reader.finish()
    assert passed + reader.take_end() == body
    pictures = kinds.count("whole")
    assert reader.answer().usage == (Usage(input=5 * pictures, image_output=7 * pictures) if pictures else None)
    assert (reader.torn, reader.failed, reader.done) == (False, False, bool(end or pictures))


def test_an_event_that_is_cut_is_told_and_one_without_its_empty_line_is_whole() -> None:
    reader = reader_of(call_of("images", stream=True))
    assert reader.feed(event(whole_picture(7))[:-1]) == b""
    reader.finish()
    assert (reader.torn, reader.done, reader.answer().usage) == (False, True, Usage(input=5, image_output=7))
    cut = reader_of(call_of("images", stream=True))
    cut.feed(event(whole_picture(7))[:-9])
    cut.finish()
    assert (cut.torn, cut.done) == (True, False)
    failed = reader_of(call_of("images", stream=True))
    failed.feed(event({"type": "error", "error": {"message": "no"}}))
    assert failed.failed


def test_an_event_that_is_too_long_passes_unread() -> None:
    reader = reader_of(call_of("images", stream=True))
    chunk = b"x" * (EVENT_MAX_BYTES // 2)
    passed = [reader.feed(b"data: " + chunk), reader.feed(chunk), reader.feed(b"\n\n")]
    assert b"".join(passed) == b"data: " + chunk * 2 + b"\n\n"
    assert reader.torn
    assert reader.take_break() == b"\n\n"


@pytest.mark.parametrize(
    ("reply", "usage"),
    [
        ({"data": [{"url": "a"}, {"url": "b"}]}, Usage(images=2)),
        ({"data": [{}], "usage": {"input_tokens": 3, "output_tokens": 4}}, Usage(input=3, image_output=4)),
        (
            {"usage": {"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"image_tokens": 6}}},
            Usage(input=3, image_input=6, image_output=4),
        ),
        (
            {"usage": {"input_tokens": 1, "output_tokens": 4, "output_tokens_details": {"image_tokens": 3}}},
            Usage(input=1, image_output=3, output=1),
        ),
        ({"data": []}, None),
        ({"usage": "many"}, None),
    ],
)
def test_pictures_count_in_tokens_or_by_the_piece(reply: dict[str, Any], usage: Usage | None) -> None:
    assert counted(call_of("images", "p/some-model"), reply) == usage


@pytest.mark.parametrize(
    ("reply", "usage"),
    [
        ({"usage": {"type": "duration", "seconds": 61}}, Usage(audio_seconds=61)),
        ({"usage": {"type": "duration", "seconds": 0.2}}, Usage(audio_seconds=1)),
        ({"duration": "8.47", "text": "a"}, Usage(audio_seconds=9)),
        ({"usage": {"prompt_audio_seconds": 4, "prompt_tokens": 9, "completion_tokens": 1}}, Usage(audio_seconds=4)),
        (
            {"usage": {"input_tokens": 9, "output_tokens": 2, "input_token_details": {"audio_tokens": 8}}},
            Usage(input=1, audio_input=8, output=2),
        ),
        ({"usage": {"input_tokens": 9, "output_tokens": 2}}, Usage(audio_input=9, output=2)),
        ({"usage": {"input_tokens": -1, "output_tokens": True}}, None),
        ({"usage": {"seconds": "long"}, "duration": None}, None),
        ({"text": "a"}, None),
    ],
)
def test_sound_counts_in_tokens_or_by_the_second(reply: dict[str, Any], usage: Usage | None) -> None:
    assert counted(call_of("transcriptions", "p/some-model", file=b"sound"), reply) == usage


@pytest.mark.parametrize(
    ("file", "texts", "seconds"),
    [
        (WAVE, [], 2),
        (bytes(80_001), [], 11),
        (b"", [], 1),
        (b"x", ["1\n00:00:01,000 --> 01:01:02,500\nHi\n\n2\n01:01:03,000 --> 01:01:04,000\nHo"], 3_665),
        (b"x", ["WEBVTT\n\n00:01.000 --> 02:03.000\nHi"], 124),
    ],
)
def test_how_long_sound_lasts_is_estimated(file: bytes, texts: list[str], seconds: int) -> None:
    call = call_of("translations", "p/some-model", file=file)
    assert adapter_of(call).estimate(call, texts) == Usage(audio_seconds=seconds)


def test_a_transcript_is_json_unless_text_was_asked_for() -> None:
    spoken = call_of("transcriptions", file=b"x", response_format="vtt")
    assert counted(spoken, b"WEBVTT") is None
    assert adapter_of(call_of("transcriptions", file=b"x")).parse_reply(b"WEBVTT", spec=OPENAI_COMPATIBLE) is None


PRICES = PriceSheet(
    "p",
    "m",
    {
        kind: Rate(int(Decimal(usd) * 10**12))
        for kind, usd in {
            "input": "5",
            "image_input": "10",
            "output": "40",
            "images": "40000",
            "characters": "15",
        }.items()
    },
)


@given(
    n=st.integers(1, 10),
    quality=st.sampled_from(["low", "medium", "high", "auto", None]),
    size=st.sampled_from(["1024x1024", "1536x1024", "auto", None]),
    partial=st.integers(0, 3),
    prompt=st.text(max_size=60),
)
def test_what_is_estimated_never_exceeds_what_was_held(
    n: int, quality: str | None, size: str | None, partial: int, prompt: str
) -> None:
    fields = {"n": n, "quality": quality, "size": size, "partial_images": partial, "prompt": prompt}
    for surface, model in (("images", "p/gpt-image-1"), ("images", "p/dall-e-3"), ("speech", "p/tts-1")):
        call = call_of(surface, model, **fields, input=prompt)
        adapter = adapter_of(call)
        bound = adapter.bound(call, spec=OPENAI_COMPATIBLE, model=model.partition("/")[2], context_tokens=0)
        held = cost_bound(PRICES, bound, bound.output_tokens or 0)
        assert held > 0
        assert rate(adapter.estimate(call, []), PRICES).total <= held


def test_every_picture_that_goes_in_is_held_for() -> None:
    one, two = (call_of("image_edits", image=b"x", **more) for more in ({}, {"mask": b"x"}))
    bounds = [
        adapter_of(call).bound(call, spec=OPENAI_COMPATIBLE, model="gpt-image-1", context_tokens=0)
        for call in (one, two)
    ]
    assert bounds[1].input_tokens - bounds[0].input_tokens >= 6_821
    assert all(bound.image_input and not bound.boundless for bound in bounds)
    by_reference = call_of("image_edits", images=[{"file_id": "file-1"}])
    assert (
        adapter_of(by_reference)
        .bound(by_reference, spec=OPENAI_COMPATIBLE, model="gpt-image-1", context_tokens=0)
        .boundless
        == "images"
    )


@pytest.mark.parametrize("value", [-1, "many", 1.5, True, 10**9, []])
def test_a_number_of_pictures_that_is_none_is_refused(value: object) -> None:
    call = call_of("images", n=value)
    with pytest.raises(InvalidRequestError) as caught:
        adapter_of(call).bound(call, spec=OPENAI_COMPATIBLE, model="gpt-image-1", context_tokens=0)
    assert caught.value.param == "n"
