"""The rows of providers that speak the OpenAI format: data, with where it is documented.

What a row's `ChatForm` lacks, the provider refuses or ignores, so that a translated request must not ask for it.
"""

from tollway.providers.auth import Auth
from tollway.providers.chat_form import (
    ALL_FIELDS,
    ANY_FORM,
    IMAGES,
    OPENAI_FORM,
    SAMPLING,
    ChatForm,
)
from tollway.providers.spec import OPENAI_SURFACES, OptionSpec, ProviderSpec, sign_in_option
from tollway.providers.usage.conventions import convention_for

_BOTH = ("max_completion_tokens", "max_tokens")
"""``max_tokens`` is OpenAI's older name; its reasoning models refuse it."""
_PENALTIES = frozenset({"presence_penalty", "frequency_penalty"})
_CHAT = frozenset({"chat"})
_TEXTS = frozenset({"chat", "completions"})
_VECTORS = frozenset({"chat", "embeddings"})
_RESPONSES = frozenset({"responses"})
"""Where dialogues can be had without state of the provider's, in full: others are asked for chats. Ollama's and
llama.cpp's own Responses lack more than a translation (choice of tools, files) and are of late versions only, as vLLM's
is; Fireworks' keeps what is said for 30 days unless told not to (https://docs.fireworks.ai/guides/response-api).
https://platform.openai.com/docs/api-reference/responses, https://console.groq.com/docs/responses-api,
https://docs.x.ai/docs/guides/responses-api, https://openrouter.ai/docs/api/reference/responses/overview,
https://learn.microsoft.com/azure/ai-foundry/openai/how-to/responses."""

_IMAGES = frozenset({"images", "image_edits", "image_variations"})
_SOUND = frozenset({"speech", "transcriptions", "translations"})
_HEARING = _SOUND - {"speech"}
_BATCHES = frozenset({"files", "batches"})
_MODERATIONS = frozenset({"moderations"})
_ALL = OPENAI_SURFACES | _RESPONSES | _IMAGES | _SOUND | _BATCHES | _MODERATIONS
"""https://platform.openai.com/docs/api-reference. Others say what they have at
https://learn.microsoft.com/azure/ai-foundry/openai/latest, https://console.groq.com/docs/api-reference,
https://docs.mistral.ai/api, https://docs.x.ai/docs/api-reference, https://docs.together.ai/reference,
https://docs.z.ai/api-reference/image/generate-image and
https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html. Files and batches of another form than OpenAI's
(Mistral's, Together's) are left out."""


def _hosted(  # a row of the table below
    name: str,
    title: str,
    base_url: str,
    key_variable: str,
    form: ChatForm,
    *,
    price_provider: str = "",
    stream_usage: bool = True,
    output_limit_fields: tuple[str, ...] = ("max_tokens",),
    surfaces: frozenset[str] = OPENAI_SURFACES,
) -> ProviderSpec:
    return ProviderSpec(
        name=name,
        title=title,
        base_url=base_url,
        usage=convention_for(name),
        key_variable=key_variable,
        price_provider=price_provider or name,
        stream_usage_option=stream_usage,
        output_limit_fields=output_limit_fields,
        form=form,
        surfaces=surfaces,
    )


def _own(
    name: str,
    title: str,
    base_url: str,
    url_variable: str,
    form: ChatForm,
    *,
    surfaces: frozenset[str] = OPENAI_SURFACES,
) -> ProviderSpec:
    """A server that runs at the user's: no key, no price per token."""
    return ProviderSpec(
        name=name,
        title=title,
        base_url=base_url,
        usage=convention_for(name),
        url_variable=url_variable,
        price_provider="local",
        stream_usage_option=True,
        form=form,
        surfaces=surfaces,
    )


OPENAI_COMPATIBLE = ProviderSpec(
    name="openai_compatible",
    title="Any server that speaks the OpenAI API",
    base_url="",
    usage=convention_for("openai_compatible"),
    stream_usage_option=True,
    surfaces=_ALL - _RESPONSES,
)

LOCAL = ProviderSpec(
    name="local",
    title="The demo model beside Tollway",
    base_url="",
    usage=convention_for("local"),
    price_provider="local",
    stream_usage_option=True,
)

_AZURE = ProviderSpec(
    name="azure",
    title="Azure OpenAI",
    base_url="",
    usage=convention_for("azure"),
    key_variable="AZURE_OPENAI_API_KEY",
    url_variable="AZURE_OPENAI_ENDPOINT",
    price_provider="azure",
    stream_usage_option=True,
    output_limit_fields=_BOTH,
    auth=Auth.API_KEY,
    form=OPENAI_FORM,
    surfaces=_ALL - {"image_variations", *_MODERATIONS},
    addresses="azure",
    sign_in="azure",
    options=(
        OptionSpec(
            "api_version",
            "`v1` for the API without dates (the model is the deployment's name), or a date such as `2024-10-21` for "
            "the older one with an address for each deployment",
            default="v1",
            variable="OPENAI_API_VERSION",
        ),
        sign_in_option("ambient", "federated"),
        OptionSpec("client_id", "id of the managed identity to sign in as, where the machine has several"),
    ),
)

# https://console.groq.com/docs/openai: no logprobs, no logit_bias, no names, one answer only. No model heeds penalties:
# https://github.com/groq/groq-python/blob/main/src/groq/types/chat/completion_create_params.py
_GROQ = ChatForm(
    fields=SAMPLING - _PENALTIES | {"seed", "service_tier", "parallel_tool_calls"},
    media=IMAGES,
    names=False,
    thoughts="reasoning",
    reasoning="reasoning_effort",
    efforts=("none", "low", "medium", "high"),
)
# https://docs.mistral.ai/api/#tag/chat: unknown fields are refused. Fields, efforts and paths are those of
# https://github.com/mistralai/client-python; its speech is JSON, unlike OpenAI's
_MISTRAL = ChatForm(
    fields=SAMPLING | {"seed", "n", "parallel_tool_calls", "prediction"},
    media=IMAGES | {"audio", "file", "file_url"},
    names=False,
    thoughts="parts",
    reasoning="reasoning_effort",
    efforts=("none", "high"),
    seed_field="random_seed",
    user_field="metadata.user",
    any_tool="any",
    plain_parts=True,
)
# https://api-docs.deepseek.com/api/create-chat-completion (``user_id``) and /guides/thinking_mode
_DEEPSEEK = ChatForm(
    fields=SAMPLING | {"logprobs"},
    formats=frozenset({"json_object"}),
    user_field="user_id",
    thoughts="reasoning_content",
    reasoning="thinking",
    efforts=("high", "max"),
)
# https://openrouter.ai/docs/api-reference/parameters: what a model cannot do is left out by OpenRouter
_OPENROUTER = ChatForm(
    fields=ALL_FIELDS - {"n", "metadata"} | {"top_k", "min_p"},
    media=IMAGES | {"audio", "file", "file_url"},
    developer=True,
    thoughts="reasoning_details",
    reasoning="reasoning",
    efforts=("none", "minimal", "low", "medium", "high", "xhigh"),
    cache_marks=True,
)
# https://docs.x.ai/docs/api-reference#chat-completions: logit_bias is not supported
_XAI = ChatForm(
    fields=SAMPLING | {"seed", "n", "logprobs", "parallel_tool_calls"},
    media=IMAGES,
    developer=True,
    reasoning="reasoning_effort",
    efforts=("none", "low", "medium", "high"),
)
# https://docs.together.ai/reference/chat-completions-1: its logprobs is a number. Fields are those of
# https://github.com/togethercomputer/together-python/blob/main/src/together/types/chat_completions.py
_TOGETHER = ChatForm(
    fields=SAMPLING | {"seed", "n", "logit_bias", "top_k", "min_p"},
    media=IMAGES,
    reasoning="reasoning_effort",
    thoughts="reasoning",
)
# https://docs.fireworks.ai/api-reference/post-chatcompletions and /guides/reasoning
_FIREWORKS = ChatForm(
    fields=SAMPLING | {"seed", "n", "logit_bias", "logprobs", "top_k", "min_p", "parallel_tool_calls", "prediction"},
    media=IMAGES,
    reasoning="reasoning_effort",
    efforts=("none", "low", "medium", "high"),
    thoughts="reasoning_content",
)
# https://inference-docs.cerebras.ai/resources/openai: penalties and logit_bias are refused. The others are those of
# https://github.com/Cerebras/cerebras-cloud-sdk-python
_CEREBRAS = ChatForm(
    fields=frozenset(
        {"temperature", "top_p", "stop", "seed", "logprobs", "parallel_tool_calls", "service_tier", "prediction"}
    ),
    reasoning="reasoning_effort",
    thoughts="reasoning",
)
# https://docs.perplexity.ai/api-reference/chat-completions-post: no tools. Fields, efforts, usage in every chunk:
# https://github.com/perplexityai/perplexity-py. Its vectors are of another form than OpenAI's
_PERPLEXITY = ChatForm(
    fields=frozenset({"temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty"}),
    media=IMAGES | {"file_url"},
    formats=frozenset({"json_schema"}),
    tools=False,
    names=False,
    user_field="",
    reasoning="reasoning_effort",
    efforts=("minimal", "low", "medium", "high"),
)
# https://docs.api.nvidia.com/nim/reference/llm-apis
_NVIDIA = ChatForm(
    fields=SAMPLING | {"seed", "logprobs", "n", "parallel_tool_calls"},
    media=IMAGES,
    reasoning="reasoning_effort",
    thoughts="reasoning_content",
)
# https://huggingface.co/docs/inference-providers/tasks/chat-completion
_HUGGINGFACE = ChatForm(
    fields=SAMPLING | {"seed", "logprobs"},
    media=IMAGES,
    reasoning="reasoning_effort",
    thoughts="reasoning",
)
# https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
_VLLM = ChatForm(
    fields=ANY_FORM.fields,
    media=IMAGES | {"audio"},
    reasoning="reasoning_effort",
    thoughts="reasoning",
)
# https://github.com/ggml-org/llama.cpp/tree/master/tools/server; `n`: https://github.com/ggml-org/llama.cpp/pull/17775
_LLAMA_CPP = ChatForm(
    fields=SAMPLING | {"seed", "n", "logit_bias", "logprobs", "top_k", "min_p", "parallel_tool_calls"},
    media=IMAGES | {"audio"},
    thoughts="reasoning_content",
)
# https://docs.ollama.com/api/openai-compatibility: tool_choice, user and n are not heeded, images in base64 only
_OLLAMA = ChatForm(
    fields=SAMPLING | {"seed", "logprobs"},
    media=frozenset({"image"}),
    tool_choice=False,
    user_field="",
    reasoning="reasoning_effort",
    efforts=("none", "low", "medium", "high"),
    thoughts="reasoning",
)
# https://platform.moonshot.ai/docs/api/chat: max_tokens is the older name of max_completion_tokens
_MOONSHOT = ChatForm(
    fields=SAMPLING | {"n"}, media=frozenset({"image"}), thoughts="reasoning_content", reasoning="thinking", efforts=()
)
# https://docs.z.ai/api-reference/llm/chat-completion
_ZAI = ChatForm(
    fields=frozenset({"temperature", "top_p", "stop"}),
    media=IMAGES,
    formats=frozenset({"json_object"}),
    user_field="user_id",
    thoughts="reasoning_content",
    reasoning="thinking",
)

ROWS: tuple[ProviderSpec, ...] = (
    _hosted(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        OPENAI_FORM,
        output_limit_fields=_BOTH,
        surfaces=_ALL,
    ),
    _AZURE,
    _hosted(
        "groq",
        "Groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        _GROQ,
        output_limit_fields=_BOTH,
        surfaces=_CHAT | _RESPONSES | _SOUND | _BATCHES,
    ),
    # Mistral sends usage in the last chunk of every stream
    _hosted(
        "mistral",
        "Mistral AI",
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        _MISTRAL,
        stream_usage=False,
        surfaces=_VECTORS | _MODERATIONS | {"transcriptions"},
    ),
    _hosted("deepseek", "DeepSeek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", _DEEPSEEK, surfaces=_TEXTS),
    _hosted(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        _OPENROUTER,
        output_limit_fields=_BOTH,
        surfaces=OPENAI_SURFACES | _RESPONSES,
    ),
    _hosted(
        "xai",
        "xAI",
        "https://api.x.ai/v1",
        "XAI_API_KEY",
        _XAI,
        price_provider="x-ai",
        output_limit_fields=_BOTH,
        surfaces=_TEXTS | _RESPONSES | {"images"},
    ),
    _hosted(
        "together",
        "Together AI",
        "https://api.together.xyz/v1",
        "TOGETHER_API_KEY",
        _TOGETHER,
        surfaces=OPENAI_SURFACES | _SOUND | {"images"},
    ),
    _hosted(
        "fireworks",
        "Fireworks AI",
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
        _FIREWORKS,
        output_limit_fields=_BOTH,
    ),
    _hosted(
        "cerebras",
        "Cerebras",
        "https://api.cerebras.ai/v1",
        "CEREBRAS_API_KEY",
        _CEREBRAS,
        output_limit_fields=_BOTH,
        surfaces=_TEXTS,
    ),
    _hosted(
        "perplexity",
        "Perplexity",
        "https://api.perplexity.ai",
        "PERPLEXITY_API_KEY",
        _PERPLEXITY,
        stream_usage=False,
        surfaces=_CHAT,
    ),
    _hosted("nvidia", "NVIDIA NIM", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", _NVIDIA),
    _hosted(
        "huggingface",
        "Hugging Face",
        "https://router.huggingface.co/v1",
        "HF_TOKEN",
        _HUGGINGFACE,
        surfaces=_CHAT,
    ),
    _hosted(
        "moonshotai",
        "Moonshot AI",
        "https://api.moonshot.ai/v1",
        "MOONSHOT_API_KEY",
        _MOONSHOT,
        output_limit_fields=_BOTH,
        surfaces=_CHAT,
    ),
    _hosted("zai", "Z.ai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY", _ZAI, surfaces=_VECTORS | {"images"}),
    _own("ollama", "Ollama", "http://127.0.0.1:11434/v1", "OLLAMA_HOST", _OLLAMA),
    _own("vllm", "vLLM", "http://127.0.0.1:8000/v1", "VLLM_BASE_URL", _VLLM, surfaces=OPENAI_SURFACES | _HEARING),
    _own("llama_cpp", "llama.cpp", "http://127.0.0.1:8080/v1", "LLAMA_CPP_BASE_URL", _LLAMA_CPP),
    LOCAL,
    OPENAI_COMPATIBLE,
)
"""The table."""
