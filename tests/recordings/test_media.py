"""Every recorded exchange about pictures and sound, through the real gateway: bytes pass, units are counted."""

import base64
import json
from typing import Any

import pytest

from support.gateway import Gateway, new_mark
from support.recordings import available, name_of, rows_of
from support.standin import Received, Reply, StandIn

pytestmark = pytest.mark.skipif(not available(), reason="the recordings are not on this machine")
ENDPOINTS = ("/v1/images/", "/v1/audio/")
COUNTED = {
    "/v1/images/generations": {"usage_images": 1},
    "/v1/images/edits": {"usage_images": 1},
    "/v1/images/variations": {"usage_images": 1},
}
"""Where the replies tell no usage: sold by the piece."""


def rows() -> list[dict[str, Any]]:
    found = rows_of("openai") if available() else ()
    return [row for row in found if row["endpoint"].startswith(ENDPOINTS)]


def with_model(row: dict[str, Any], mark: str) -> tuple[bytes, str]:
    """The recorded body, addressed to the stand-in and marked; and its content type."""
    request = row["request_json"]
    if "__base64__" not in request:
        return json.dumps(request | {"model": "stub/recorded", "user": mark}).encode(), "application/json"
    body = base64.b64decode(request["__base64__"])
    boundary = body.partition(b"\r\n")[0]
    whole = [part for part in body.split(boundary)[1:] if b"\r\n\r\n" in part and b'name="model"' not in part]
    parts = [part.removesuffix(b"\r\n") for part in whole]  # the recording ends inside of the file
    for name, value in (("model", "stub/recorded"), ("user", mark)):
        parts.append(f'\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode())
    form = b"".join(boundary + part + b"\r\n" for part in parts) + boundary + b"--\r\n"
    return form, f"multipart/form-data; boundary={boundary[2:].decode()}"


@pytest.mark.parametrize("row", rows(), ids=name_of)
def test_a_recorded_exchange_passes_and_is_counted(gateway: Gateway, standin: StandIn, row: dict[str, Any]) -> None:
    mark = new_mark()
    told = (row["response_body"] or "").encode()

    def script(_: Received) -> Reply:
        return Reply([told])

    standin.on("recorded", script)
    body, content_type = with_model(row, mark)
    answer = gateway.post(row["endpoint"], body, headers={"content-type": content_type})
    assert (answer.status_code, answer.content) == (200, told), row["endpoint"]
    (heard,) = standin.marked(mark)
    if content_type == "application/json":
        assert heard.json == json.loads(body) | {"model": "recorded"}
    else:
        assert heard.body == body.replace(b"stub/recorded", b"recorded")
    entry = gateway.entry(mark)
    usage = json.loads(told).get("usage")
    if usage is None and row["endpoint"] in COUNTED:
        assert {name: entry[name] for name in COUNTED[row["endpoint"]]} == COUNTED[row["endpoint"]]
    elif usage is None:
        assert (entry["usage_source"], entry["usage_audio_seconds"] > 0) == ("estimated", True)
    elif usage.get("type") == "duration":
        assert entry["usage_audio_seconds"] == -(-usage["seconds"] // 1)
    else:
        total = entry["usage_input"] + entry["usage_audio_input"] + entry["usage_image_input"]
        left = entry["usage_output"] + entry["usage_image_output"]
        assert (total, left) == (usage["input_tokens"], usage["output_tokens"])
