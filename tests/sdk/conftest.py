"""What must stand before the SDKs are used."""

import os

import anthropic._base_client
import langchain_anthropic._client_utils
import langchain_openai.chat_models._client_utils
import openai._base_client

os.environ["LLM_LOAD_PLUGINS"] = ""  # the command `llm` would load the demo model's plugin, which lacks what it needs

# A client that is collected would close itself in whatever event loop runs by then, which is that of another test.
del openai._base_client.AsyncHttpxClientWrapper.__del__
del anthropic._base_client.AsyncHttpxClientWrapper.__del__
del langchain_openai.chat_models._client_utils._AsyncHttpxClientWrapper.__del__
del langchain_anthropic._client_utils._AsyncHttpxClientWrapper.__del__
