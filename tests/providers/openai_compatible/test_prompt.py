"""Which texts of a request count, where the provider did not."""

import json

from tollway.api.dialects import openai
from tollway.providers.openai_compatible.prompt import prompt_texts


def test_a_text_counts_whatever_it_says_of_itself_and_media_do_not() -> None:
    parts = [
        {"type": "text", "text": "data:image/png;base64, said the caller"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
    ]
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": parts}]}).encode()
    texts = prompt_texts(openai.parse(body, surface="chat", required=()))
    assert "data:image/png;base64, said the caller" in texts
    assert not any("AAAA" in text for text in texts)
