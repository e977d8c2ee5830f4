"""Speech flows through as it is made: how long it may be, and what a provider that breaks off is thought of."""

import httpx
import pytest

from support.gateway import Gateway, new_mark
from support.replies import SOUND
from support.standin import Close, Reply, StandIn
from support.waiting import wait_until

PATH = "/v1/audio/speech"
HEADERS = (("content-type", "audio/mpeg"),)
LIMIT = 2 * 1024 * 1024
"""``TOLLWAY_MAX_REPLY_BYTES`` of this gateway."""
PIECE = bytes(1024 * 1024)
CHARGE_PICO = 75_000_000
"""Of five characters."""
BREAKS_THAT_OPEN = 5


def body_for(model: str, mark: str) -> dict[str, str]:
    return {"model": model, "voice": "alloy", "input": "Grüße", "user": mark}


def break_off(gateway: Gateway, model: str, mark: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        gateway.post(PATH, body_for(model, mark))


def test_a_sound_that_says_it_is_too_long_is_refused_before_it_begins(gateway: Gateway, standin: StandIn) -> None:
    mark = new_mark()
    standin.on("long-tts", Reply([PIECE] * 3, headers=HEADERS))
    answer = gateway.post(PATH, body_for("stub/long-tts", mark))
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_reply_too_large")
    entry = gateway.entry(mark)
    assert (entry["outcome"], entry["error"]) == ("upstream_error", "upstream_reply_too_large")
    assert entry["charge_pico"] == CHARGE_PICO  # it was made all the same


def test_a_sound_that_grows_too_long_has_no_end(gateway: Gateway, standin: StandIn) -> None:
    mark = new_mark()
    standin.on("endless-tts", lambda _: Reply([PIECE] * 9, headers=HEADERS, framing="chunked"))
    break_off(gateway, "stub/endless-tts", mark)
    entry = gateway.entry(mark)
    assert (entry["outcome"], entry["error"]) == ("stream_cut", "upstream_reply_too_large")
    assert len(PIECE) <= entry["response_bytes"] <= LIMIT
    assert entry["charge_pico"] == CHARGE_PICO


def test_who_breaks_sounds_off_is_left_for_the_next(gateway: Gateway, standin: StandIn) -> None:
    broken, sound = new_mark(), new_mark()
    standin.on(broken, lambda _: Reply([bytes(4_000), Close()], headers=HEADERS, framing="chunked"))
    standin.on(sound, Reply([SOUND], headers=HEADERS))
    targets = [{"provider": "stub", "model": model, "priority": place} for place, model in enumerate((broken, sound))]
    alias = new_mark()
    gateway.admin("PUT", f"/aliases/default/{alias}", {"route": {"targets": targets}})
    known = f"/v1/models/{alias}"
    wait_until(lambda: gateway.client.get(known, headers=gateway.headers()).is_success, what="the worker to know it")
    for _ in range(BREAKS_THAT_OPEN):
        break_off(gateway, alias, new_mark())

    def heard_whole() -> bool:
        try:
            answer = gateway.post(PATH, body_for(alias, new_mark()))
        except httpx.RemoteProtocolError:  # the last break was told to the caller, and not counted yet
            return False
        return (answer.content, answer.headers["x-tollway-model"]) == (SOUND, sound)

    wait_until(heard_whole, what="the other one to be asked")
