"""The official `openai` SDK for Python against Tollway: pictures, speech, sound, moderation."""

from collections.abc import Iterator
from io import BytesIO

import httpx
import openai
import pytest
from openai import OpenAI

from support.gateway import Gateway, new_mark
from support.replies import SOUND
from support.spender import Spender
from support.standin import Close, Hold, Reply, StandIn

PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00--not-a-boundary--\r\n" + bytes(range(256))
SAID = "The gateway passes every byte on."


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.project_key, max_retries=0) as opened:
        yield opened


def test_pictures_are_made_and_counted(client: OpenAI, gateway: Gateway) -> None:
    mark = new_mark()
    made = client.images.generate(model="stub/gpt-image-1", prompt="a gate", user=mark, size="1024x1024")
    assert made.data is not None
    assert (made.data[0].b64_json, made.usage is not None) == ("iVBORw0KGgo=", True)
    entry = gateway.entry(mark)
    assert made.usage is not None
    assert (entry["usage_input"], entry["usage_image_output"]) == (made.usage.input_tokens, made.usage.output_tokens)


def test_a_stream_of_pictures_ends_with_the_whole_one(client: OpenAI) -> None:
    stream = client.images.generate(model="stub/gpt-image-1", prompt="a gate", stream=True, partial_images=1)
    assert [event.type for event in stream] == ["image_generation.partial_image", "image_generation.completed"]


def test_pictures_are_edited_with_files_that_pass_byte_for_byte(client: OpenAI, standin: StandIn) -> None:
    mark = new_mark()
    files = [("a.png", BytesIO(PICTURE), "image/png"), ("b.png", BytesIO(PICTURE[::-1]), "image/png")]
    made = client.images.edit(model="stub/plain", image=files, prompt="brighter, heller: größer", n=1, user=mark)
    assert made.data
    (heard,) = standin.marked(mark)
    assert [value for name, value in heard.parts if name == "image[]"] == [PICTURE, PICTURE[::-1]]
    assert (heard.json["model"], heard.json["prompt"]) == ("plain", "brighter, heller: größer")


def test_a_variation_of_a_picture(client: OpenAI) -> None:
    assert client.images.create_variation(model="stub/plain", image=BytesIO(PICTURE)).data


def test_speech_is_bytes_of_the_providers_type_and_paid_by_the_character(client: OpenAI) -> None:
    spoken = client.audio.speech.with_raw_response.create(model="stub/tts", voice="alloy", input="Grüße")
    assert (spoken.content, spoken.headers["content-type"]) == (SOUND, "audio/mpeg")
    assert spoken.headers["x-tollway-cost"] == "0.000075"
    with client.audio.speech.with_streaming_response.create(model="stub/tts", voice="alloy", input="a") as streamed:
        assert streamed.read() == SOUND


def test_speech_is_heard_while_it_is_made_and_a_break_is_noticed(gateway: Gateway, standin: StandIn) -> None:
    standin.hold()
    piece, mark = b"\xff\xfb" * 5_000, new_mark()
    sound = (("content-type", "audio/mpeg"),)
    standin.on("slow-tts", lambda _: Reply([piece, piece, Hold()], headers=sound, framing="chunked"))
    standin.on("cut-tts", lambda _: Reply([piece, piece, Close()], headers=sound, framing="chunked"))
    body = {"model": "stub/slow-tts", "voice": "alloy", "input": "Grüße", "user": mark}
    with gateway.client.stream("POST", "/v1/audio/speech", json=body, headers=gateway.headers()) as answer:
        sounds = answer.iter_bytes(len(piece))
        assert (next(sounds), answer.headers["x-tollway-cost"]) == (piece, "0.000075")  # the provider is not done
        standin.release()
        assert b"".join(sounds) == piece
    cut = new_mark()
    with pytest.raises(httpx.RemoteProtocolError):
        gateway.post("/v1/audio/speech", body | {"model": "stub/cut-tts", "user": cut})
    whole, broken = gateway.entry(mark), gateway.entry(cut)
    assert (whole["outcome"], whole["response_bytes"], whole["charge_pico"]) == ("ok", 20_000, 75_000_000)
    assert (broken["outcome"], broken["charge_pico"]) == ("stream_cut", 75_000_000)


def test_speech_that_the_provider_does_not_count_is_estimated_and_marked(gateway: Gateway) -> None:
    mark = new_mark()
    body = {"model": "stub/gpt-4o-mini-tts", "voice": "alloy", "input": "Good morning.", "user": mark}
    assert gateway.post("/v1/audio/speech", body).content == SOUND
    entry = gateway.entry(mark)
    assert (entry["usage_source"], entry["usage_input"], entry["usage_audio_output"]) == ("estimated", 3, 19)


def test_sound_is_written_down_plain_and_streamed(client: OpenAI) -> None:
    sound = ("a.mp3", BytesIO(SOUND), "audio/mpeg")
    assert client.audio.transcriptions.create(model="stub/plain", file=sound).text == SAID
    stream = client.audio.transcriptions.create(model="stub/plain", file=sound, stream=True)
    assert [event.type for event in stream] == ["transcript.text.delta", "transcript.text.done"]
    assert client.audio.translations.create(model="stub/plain", file=sound).text == SAID


def test_a_transcript_that_is_no_json_passes_and_its_length_is_told_by_its_subtitles(gateway: Gateway) -> None:
    mark = new_mark()
    fields = {"model": "stub/plain", "response_format": "srt", "user": mark}
    answer = gateway.client.post(
        "/v1/audio/transcriptions", data=fields, files={"file": ("a.mp3", SOUND)}, headers=gateway.headers()
    )
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain")
    entry = gateway.entry(mark)
    assert (entry["usage_source"], entry["usage_audio_seconds"], entry["priced"]) == ("estimated", 63, False)


def test_a_form_that_is_sent_again_is_known_by_its_idempotency_key(client: OpenAI, standin: StandIn) -> None:
    mark = new_mark()
    made = [
        client.images.edit(
            model="stub/plain", image=BytesIO(PICTURE), prompt="a", user=mark, extra_headers={"idempotency-key": mark}
        )
        for _ in range(2)  # each with a boundary of its own
    ]
    assert made[0] == made[1]
    assert len(standin.marked(mark)) == 1
    with pytest.raises(openai.ConflictError):
        client.images.edit(
            model="stub/plain", image=BytesIO(PICTURE), prompt="b", user=mark, extra_headers={"idempotency-key": mark}
        )


def test_texts_are_moderated(client: OpenAI) -> None:
    assert not client.moderations.create(model="stub/plain", input="Good morning.").results[0].flagged


def test_a_provider_without_the_surface_says_so(client: OpenAI, gateway: Gateway, standin: StandIn) -> None:
    gateway.admin(
        "POST",
        "/providers",
        {"name": "only-chat", "spec": "perplexity", "base_url": standin.base_url, "credential": "sk-x"},
    )
    gateway.set_price("only-chat", "*")
    with pytest.raises(openai.NotFoundError) as caught:
        client.audio.speech.create(model="only-chat/tts", voice="alloy", input="a")
    assert caught.value.code == "not_supported_by_provider"


def test_a_hard_budget_holds_what_pictures_and_speech_can_cost_at_the_most(gateway: Gateway) -> None:
    caller = Spender(gateway)
    caller.budget("0.01")
    small = {"model": "stub/gpt-image-1", "prompt": "a", "quality": "low", "size": "1024x1024"}
    answer = gateway.post("/v1/images/generations", small | {"n": 10}, key=caller.key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "budget_exceeded")
    body = {"model": "stub/tts", "voice": "alloy"}
    spoken = gateway.post("/v1/audio/speech", body | {"input": "x" * 1_000}, key=caller.key)
    assert (spoken.status_code, spoken.json()["error"]["code"]) == (402, "budget_exceeded")
    assert gateway.post(
        "/v1/audio/speech", {"model": "stub/tts", "input": "x", "voice": "a"}, key=caller.key
    ).is_success
