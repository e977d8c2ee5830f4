import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from support.waiting import eventually
from tollway.config.local_model import LocalModelSettings
from tollway.supervisor.local_model import LocalModel, model_name, prepare_local_model

pytest.importorskip("xllamacpp", reason="the extra `local` is not installed")


@pytest.fixture(scope="module")
async def model() -> AsyncIterator[LocalModel]:
    prepared = prepare_local_model(LocalModelSettings(local_model=True, local_context_tokens=512))
    assert prepared is not None
    await prepared.child.start()
    yield prepared
    await prepared.child.stop()


@pytest.fixture
async def http(model: LocalModel) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {model.api_key}"}
    async with httpx.AsyncClient(base_url=model.base_url, headers=headers, timeout=60.0) as client:
        yield client


CHAT = {"model": "smollm2", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "temperature": 0}


async def test_it_answers_a_chat_under_its_own_name_and_counts(http: httpx.AsyncClient) -> None:
    reply = (await http.post("/chat/completions", json=CHAT)).json()
    assert reply["model"] == "smollm2"
    assert reply["choices"][0]["message"]["content"]
    assert reply["usage"]["completion_tokens"] == 4


async def test_a_stream_ends_with_usage_and_done(http: httpx.AsyncClient) -> None:
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    async with http.stream("POST", "/chat/completions", json=body) as response:
        data = [line.removeprefix("data: ") async for line in response.aiter_lines() if line]
    assert data[-1] == "[DONE]"
    assert json.loads(data[-2])["usage"]["completion_tokens"] == 4


async def test_it_lists_its_model_and_embeds(http: httpx.AsyncClient) -> None:
    assert [row["id"] for row in (await http.get("/models")).json()["data"]] == ["smollm2"]
    reply = (await http.post("/embeddings", json={"model": "smollm2", "input": ["one", "two"]})).json()
    assert len(reply["data"]) == 2
    assert reply["usage"]["prompt_tokens"] > 0


async def test_another_process_on_the_machine_needs_its_key(model: LocalModel) -> None:
    async with httpx.AsyncClient(base_url=model.base_url, timeout=60.0) as client:
        assert (await client.post("/chat/completions", json=CHAT)).status_code == 401


async def test_after_a_crash_it_answers_at_the_same_address(model: LocalModel, http: httpx.AsyncClient) -> None:
    crashed = model.child.pid
    assert crashed
    os.kill(crashed, signal.SIGSEGV)
    await eventually(lambda: model.child.ready and model.child.pid != crashed)
    async with asyncio.timeout(60):
        while not await answers(http):  # noqa: ASYNC110 -- another process answers; there is no event to wait for
            await asyncio.sleep(0.05)


async def answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/models")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def test_the_key_does_not_show_in_logs(model: LocalModel) -> None:
    assert model.api_key not in repr(model)


def test_a_model_of_ones_own_is_offered_under_the_name_of_its_file() -> None:
    assert model_name(Path("/models/Qwen2.5 0.5B_Instruct.Q4.gguf")) == "qwen2.5-0.5b_instruct.q4"
    assert model_name(None) == "smollm2"
