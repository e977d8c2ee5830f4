"""The bound of a translated request holds whatever its parts turn out to be."""

import pytest
from msgspec import Raw

from tollway.chat.message import AudioPart, FilePart, ImagePart, Media, Message, OpaquePart, Part, TextPart
from tollway.chat.message import ToolResultPart as Result
from tollway.chat.request import ChatRequest, ProviderTool
from tollway.errors import InvalidRequestError
from tollway.providers.chat_bound import chat_bound
from tollway.providers.openai_compatible.bound import RequestBound

CONTEXT_TOKENS = 1_000_000
BODY_BYTES = 5_000


def bound(*parts: Part, **fields: object) -> RequestBound:
    chat = ChatRequest(source="openai", messages=(Message("user", parts or (TextPart(text="a"),)),), **fields)  # type: ignore[arg-type]
    return chat_bound(chat, body_bytes=BODY_BYTES, model="m", context_tokens=CONTEXT_TOKENS)


def test_text_is_bounded_by_the_body() -> None:
    found = bound()
    assert BODY_BYTES < found.input_tokens < BODY_BYTES + 100
    assert found.text_only
    assert (found.audio_input, found.image_input, found.boundless) == (False, False, "")


@pytest.mark.parametrize("mime", ["video/mp4", "audio/ogg", ""])
def test_a_file_may_hold_pictures_and_sound_and_fill_the_context(mime: str) -> None:
    found = bound(FilePart(media=Media("base64", "AAAA", mime)))
    assert found.input_tokens >= CONTEXT_TOKENS
    assert found.image_input
    assert found.audio_input


def test_a_pdf_holds_no_sound_and_a_text_neither() -> None:
    pdf = bound(FilePart(media=Media("base64", "AAAA", "application/pdf")))
    assert (pdf.image_input, pdf.audio_input, pdf.input_tokens) == (True, False, CONTEXT_TOKENS)
    text = bound(FilePart(media=Media("text", "words")))
    assert text.text_only
    assert text.input_tokens < CONTEXT_TOKENS


def test_sound_is_bounded_by_its_bytes_where_its_format_cannot_hold_long_silence() -> None:
    data = "A" * 1_600
    lean = bound(AudioPart(media=Media("base64", data), format="mp3"))
    assert lean.audio_input
    assert lean.input_tokens < BODY_BYTES
    for part in (
        AudioPart(media=Media("base64", data), format="opus"),
        AudioPart(media=Media("url", "https://x.example/a.mp3"), format="mp3"),
    ):
        assert bound(part).input_tokens >= CONTEXT_TOKENS


def test_an_image_in_a_result_of_a_tool_counts_as_one() -> None:
    image = ImagePart(media=Media("url", "https://x.example/a.png"))
    assert bound(Result(call_id="c", parts=(image,))).input_tokens > BODY_BYTES + 10_000


def test_what_nobody_can_bound_is_named() -> None:
    search = ProviderTool(source="gemini", kind="googleSearch", raw=Raw(b"{}"))
    assert bound(tools=(search,)).boundless == "tools.0"
    assert bound(extras={"web_search_options": Raw(b"{}")}).boundless == "web_search_options"
    assert bound(extras={"cachedContent": Raw(b'"cachedContents/1"')}).boundless == "cachedContent"
    assert bound(OpaquePart(source="gemini", kind="x", raw=Raw(b"{}"))).input_tokens >= CONTEXT_TOKENS


@pytest.mark.parametrize("count", [0, -1, -(10**9), 10**9 + 1, 10**400])
@pytest.mark.parametrize("name", ["max_output_tokens", "n"])
def test_a_count_that_bounds_nothing_is_refused_and_never_makes_the_bound_smaller(name: str, count: int) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        bound(**{name: count})
    assert refusal.value.param == {"max_output_tokens": "max_completion_tokens"}.get(name, name)
