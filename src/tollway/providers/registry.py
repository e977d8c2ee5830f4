"""The registry of providers: one row of data each.

A row states who the provider is and what it can do; every capability is off unless stated. Only providers
that speak the OpenAI dialect are rows. `OPENAI_COMPATIBLE` serves any server that speaks it and has no row of its own.
"""

import msgspec

from tollway.providers.auth import Auth
from tollway.providers.usage.conventions import UsageConvention, convention_for

OPENAI_SURFACES = frozenset({"chat", "completions", "embeddings"})
"""What nearly every server of the OpenAI dialect has."""
SIGN_IN = "sign_in"
"""Name of the option that says with which identity a cloud is signed in to."""


class OptionSpec(msgspec.Struct, frozen=True):
    """One thing that a kind of provider needs or takes besides an address and a credential.

    Attributes:
        name: its name in `Deployment.options`, for instance ``region``.
        description: for people: what it is, and what it may be.
        required: whether a provider of this kind cannot be without it.
        default: its value where none is given; `Deployment.options` then holds this one.
        variable: the environment variable from which it is taken at start, beside the credential.
        choices: the only values it may have; empty for any.
    """

    name: str
    description: str
    required: bool = False
    default: str = ""
    variable: str = ""
    choices: tuple[str, ...] = ()


class ProviderSpec(msgspec.Struct, frozen=True):
    """What is true of a provider wherever it is used.

    Attributes:
        name: the default name of the provider in an organization, and the name of this row.
        title: for people.
        base_url: where its API lives, without a trailing slash; empty if every installation has its own. ``{region}``
            and the like stand for options.
        dialect: the wire format it speaks.
        key_variable: the environment variable from which its credential is taken at start; empty for none.
        url_variable: the environment variable that holds its address, for providers that run at the user's.
        price_provider: its name in the price book.
        needs_key: whether it refuses calls without a credential.
        stream_usage_option: whether it understands ``stream_options.include_usage``. Without it the provider either
            always sends usage at the end of a stream, or never (then usage is estimated).
        usage: how it counts.
        auth: how it is shown its credential.
        surfaces: the surfaces of Tollway's that it has itself, so that bytes pass through; others are translated to its
            dialect, where they can be.
        dialects: beginnings of model names → the dialect in which it serves them, where that is not `dialect`.
        output_limit_fields: the fields of a chat completion by which it bounds its output, the best one first. A bound
            in another one it does not heed, so a request with a hard budget gets one of these.
        options: what it needs or takes besides; others are refused.
    """

    name: str
    title: str
    base_url: str
    usage: UsageConvention
    dialect: str = "openai"
    key_variable: str = ""
    url_variable: str = ""
    price_provider: str = ""
    needs_key: bool = False
    stream_usage_option: bool = False
    output_limit_fields: tuple[str, ...] = ("max_tokens",)
    auth: Auth = Auth.BEARER
    surfaces: frozenset[str] = OPENAI_SURFACES
    dialects: tuple[tuple[str, str], ...] = ()
    options: tuple[OptionSpec, ...] = ()

    def dialect_of(self, model: str) -> str:
        """The dialect in which it serves a model."""
        if not self.dialects:
            return self.dialect
        return next((dialect for beginning, dialect in self.dialects if model.startswith(beginning)), self.dialect)

    def surfaces_of(self, model: str) -> frozenset[str]:  # noqa: ARG002 -- of all its models
        """The surfaces that it has itself for a model."""
        return self.surfaces


def _hosted(  # a row of the table below
    name: str,
    title: str,
    base_url: str,
    key_variable: str,
    *,
    price_provider: str = "",
    stream_usage: bool = True,
    output_limit_fields: tuple[str, ...] = ("max_tokens",),
) -> ProviderSpec:
    return ProviderSpec(
        name=name,
        title=title,
        base_url=base_url,
        usage=convention_for(name),
        key_variable=key_variable,
        price_provider=price_provider or name,
        needs_key=True,
        stream_usage_option=stream_usage,
        output_limit_fields=output_limit_fields,
    )


def sign_in_option(*identities: str) -> OptionSpec:
    """How a cloud is signed in to. Args: identities: what it may be besides ``credential``; see `sign_in.identity`."""
    return OptionSpec(
        SIGN_IN,
        "`credential` signs in with what is stored; `ambient` as the machine Tollway runs on; `federated` with a "
        "document that may name files and addresses of that machine. All but the first need scope `platform`",
        default="credential",
        choices=("credential", *identities),
    )


OPENAI_COMPATIBLE = ProviderSpec(
    name="openai_compatible",
    title="Any server that speaks the OpenAI API",
    base_url="",
    usage=convention_for("openai_compatible"),
    stream_usage_option=True,
)

LOCAL = ProviderSpec(
    name="local",
    title="The demo model beside Tollway",
    base_url="",
    usage=convention_for("local"),
    price_provider="local",
    stream_usage_option=True,
)

OLLAMA = ProviderSpec(
    name="ollama",
    title="Ollama",
    base_url="http://127.0.0.1:11434/v1",
    usage=convention_for("ollama"),
    url_variable="OLLAMA_HOST",
    price_provider="local",  # it runs on one's own machine: no price per token
    stream_usage_option=True,
)

GEMINI = ProviderSpec(
    name="gemini",
    title="Google Gemini API",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    usage=convention_for("gemini"),
    dialect="gemini",
    key_variable="GEMINI_API_KEY",
    price_provider="google",
    needs_key=True,
    auth=Auth.X_GOOG_API_KEY,
    surfaces=frozenset(),
)

VERTEX = ProviderSpec(
    name="vertex",
    title="Google Vertex AI",
    base_url="https://{region}-aiplatform.googleapis.com/v1",
    usage=convention_for("vertex"),
    dialect="vertex",
    dialects=(("claude", "vertex_anthropic"),),
    price_provider="google",
    auth=Auth.OAUTH,
    surfaces=frozenset(),
    options=(
        OptionSpec("project", "id of the Google Cloud project", required=True, variable="GOOGLE_CLOUD_PROJECT"),
        OptionSpec(
            "region",
            "location, for instance `europe-west4`, or `global`",
            default="global",
            variable="GOOGLE_CLOUD_LOCATION",
        ),
        sign_in_option("ambient", "federated"),
    ),
)

BEDROCK = ProviderSpec(
    name="bedrock",
    title="Amazon Bedrock",
    base_url="https://bedrock-runtime.{region}.amazonaws.com",
    usage=convention_for("bedrock"),
    dialect="bedrock",
    key_variable="AWS_BEARER_TOKEN_BEDROCK",
    price_provider="aws",
    needs_key=True,
    auth=Auth.SIGNED,
    surfaces=frozenset(),
    options=(
        OptionSpec("region", "where the models run, for instance `us-east-1`", required=True, variable="AWS_REGION"),
        sign_in_option("ambient"),
        OptionSpec("profile", "the profile of this machine to sign in with, where `sign_in` is `ambient`"),
        OptionSpec("guardrail", "id or ARN of the guardrail that every request passes"),
        OptionSpec("guardrail_version", "its version", default="DRAFT"),
    ),
)

_BOTH = ("max_completion_tokens", "max_tokens")
"""``max_tokens`` is OpenAI's older name; its reasoning models refuse it."""

_ROWS = (
    _hosted("openai", "OpenAI", "https://api.openai.com/v1", "OPENAI_API_KEY", output_limit_fields=_BOTH),
    _hosted("groq", "Groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", output_limit_fields=_BOTH),
    # Mistral refuses unknown fields and sends usage in the last chunk of every stream:
    # https://docs.mistral.ai/api/#tag/chat
    _hosted("mistral", "Mistral AI", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", stream_usage=False),
    _hosted("deepseek", "DeepSeek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    _hosted(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        output_limit_fields=_BOTH,
    ),
    _hosted("xai", "xAI", "https://api.x.ai/v1", "XAI_API_KEY", price_provider="x-ai", output_limit_fields=_BOTH),
    _hosted("together", "Together AI", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    _hosted(
        "fireworks",
        "Fireworks AI",
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
        output_limit_fields=_BOTH,
    ),
    _hosted("cerebras", "Cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", output_limit_fields=_BOTH),
    _hosted("perplexity", "Perplexity", "https://api.perplexity.ai", "PERPLEXITY_API_KEY", stream_usage=False),
    GEMINI,
    VERTEX,
    BEDROCK,
    OLLAMA,
    LOCAL,
    OPENAI_COMPATIBLE,
)

REGISTRY: dict[str, ProviderSpec] = {row.name: row for row in _ROWS}
"""Name → row."""
