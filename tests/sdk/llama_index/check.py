"""LlamaIndex against a running Tollway: prints what it saw as one JSON object.

Every call carries the name of its case as ``user``, behind ``MARK``, so that the test finds what the provider got.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
from llama_index.core import Document, PromptTemplate, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage, ChatResponse
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai import OpenAIResponses
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

SERVED = {"api_base": os.environ["BASE_URL"], "api_key": os.environ["API_KEY"], "max_retries": 0}
ASKED = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content="Say something.")]
WHERE = ChatMessage(role="user", content="How is the weather in Paris?")


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"21 degrees in {city}"


def llm(case: str, model: str = "stub/gpt", **fields: Any) -> OpenAILike:
    """A model as the documentation of Tollway sets it up."""
    kind: dict[str, Any] = {"is_chat_model": True, "is_function_calling_model": True}
    user = {"user": os.environ["MARK"] + case}
    return OpenAILike(model=model, **SERVED | kind | {"additional_kwargs": user} | fields)


def embedding(case: str) -> OpenAILikeEmbedding:
    return OpenAILikeEmbedding("stub/gpt", additional_kwargs={"user": os.environ["MARK"] + case}, **SERVED)


def last(stream: Iterator[ChatResponse]) -> dict[str, Any]:
    """The deltas of a stream, and what it was in the end."""
    seen = list(stream)
    return {"deltas": [each.delta for each in seen], "text": seen[-1].message.content}


async def alast(stream: AsyncIterator[ChatResponse]) -> dict[str, Any]:
    """As `last`."""
    return last(iter([each async for each in stream]))


def tooled(case: str) -> dict[str, Any]:
    """One round of a tool, by hand."""
    model, tool = llm(case, "stub/tools"), FunctionTool.from_defaults(weather)
    said = model.chat_with_tools([tool], chat_history=[WHERE])
    (call,) = model.get_tool_calls_from_response(said)
    result = ChatMessage(role="tool", content="sunny", additional_kwargs={"tool_call_id": call.tool_id})
    answer = model.chat_with_tools([tool], chat_history=[WHERE, said.message, result])
    return {"name": call.tool_name, "arguments": call.tool_kwargs, "answer": answer.message.content}


def refused() -> dict[str, Any]:
    """A caller without money, by the settings that LlamaIndex has by default: it asks again what may be asked again."""
    answers: list[int] = []
    with httpx.Client(event_hooks={"response": [lambda answer: answers.append(answer.status_code)]}) as client:
        broke = llm("broke", api_key=os.environ["BROKE_KEY"], max_retries=3, http_client=client)
        return {"error": error_of(broke), "answers": answers}


def error_of(model: OpenAILike) -> dict[str, Any]:
    try:
        model.chat(ASKED)
    except openai.APIStatusError as error:
        return {"name": type(error).__name__, "status": error.status_code, "code": error.code}
    return {}


def plain() -> dict[str, Any]:
    """What needs no event loop."""
    paris = PromptTemplate("The weather of {city}?")
    index = VectorStoreIndex.from_documents([Document(text="It rains in Oslo.")], embed_model=embedding("index"))
    responses = OpenAIResponses(model="stub/gpt", user=os.environ["MARK"] + "responses", context_window=9_000, **SERVED)
    return {
        "complete": llm("complete").complete("Say something.").text,
        "stream_complete": [part.delta for part in llm("stream_complete").stream_complete("Say something.")],
        "completion": llm("completion", is_chat_model=False).complete("Say something.").text,
        "chat": llm("chat").chat(ASKED).message.content,
        "stream_chat": last(llm("stream_chat").stream_chat(ASKED)),
        "chat_with_tools": tooled("chat_with_tools"),
        "predict_and_call": str(
            llm("called", "stub/tools").predict_and_call([FunctionTool.from_defaults(weather)], WHERE)
        ),
        "structured_by_schema": llm("by_schema", "stub/obliging", should_use_structured_outputs=True)
        .structured_predict(Weather, paris, city="Paris")
        .model_dump(),
        "structured_by_tool": llm("by_tool", "stub/obliging")
        .structured_predict(Weather, paris, city="Paris")
        .model_dump(),
        "embedding": embedding("embedding").get_text_embedding_batch(["a", "b"]),
        "index": str(index.as_query_engine(llm=llm("query")).query("Where does it rain?")),
        "responses": responses.chat(ASKED).message.content,
        "refused": refused(),
        "unknown": error_of(llm("unknown", "nowhere/gpt")),
        "limited": error_of(llm("limited", "stub/rate-limited")),
    }


async def asynchronous() -> dict[str, Any]:
    """What needs one."""
    agent = FunctionAgent(tools=[weather], llm=llm("agent", "stub/tools"), system_prompt="Be brief.")
    return {
        "achat": (await llm("achat").achat(ASKED)).message.content,
        "astream_chat": await alast(await llm("astream_chat").astream_chat(ASKED)),
        "aembedding": await embedding("aembedding").aget_query_embedding("a"),
        "agent": str(await agent.run(WHERE.content)),
    }


print(json.dumps(plain() | asyncio.run(asynchronous())))
