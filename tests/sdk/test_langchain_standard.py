"""LangChain's own standard suite for chat models, against Tollway: in the dialects of chat completions and messages."""

from typing import Any, ClassVar

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_anthropic import _client_utils as anthropic_clients
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models import _client_utils as openai_clients
from langchain_tests.integration_tests import ChatModelIntegrationTests

from support.gateway import Gateway
from support.obliging import obliging
from support.standin import StandIn

MODEL = "stub/obliging"


class _Standard(ChatModelIntegrationTests):
    """What is the same for both."""

    url: str
    key: str
    kept: ClassVar[list[BaseChatModel]] = []

    @pytest.fixture(autouse=True)
    def _served(self, gateway: Gateway, standin: StandIn) -> None:
        standin.on("obliging", obliging)
        for client in (openai_clients._cached_async_httpx_client, anthropic_clients._get_default_async_httpx_client):
            client.cache_clear()  # they would be used again by the event loop of the next test
        type(self).url, type(self).key = gateway.url, gateway.project_key

    @pytest.fixture
    def model(self, _served: None, request: Any) -> BaseChatModel:
        params = getattr(request, "param", None) or {}
        made = self.chat_model_class(**self.chat_model_params | self.standard_chat_model_params | params)
        self.kept.append(made)  # a client that is collected closes itself, in whatever event loop runs by then
        return made

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return {"temperature": 0, "max_tokens": 500, "timeout": 90, "max_retries": 0}

    @property
    def enable_vcr_tests(self) -> bool:
        return False


class TestChatCompletions(_Standard):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL, "base_url": f"{self.url}/v1", "api_key": self.key, "stream_usage": True}

    @property
    def supports_json_mode(self) -> bool:
        return True


class TestMessages(_Standard):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatAnthropic

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL, "base_url": self.url, "api_key": self.key}
