"""The rows of clouds and others with wire formats of their own."""

from tollway.providers.auth import Auth
from tollway.providers.spec import OptionSpec, ProviderSpec, sign_in_option
from tollway.providers.usage.conventions import convention_for
from tollway.providers.vertex.address import SPECIAL_HOSTS

GEMINI = ProviderSpec(
    name="gemini",
    title="Google Gemini API",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    usage=convention_for("gemini"),
    dialect="gemini",
    key_variable="GEMINI_API_KEY",
    price_provider="google",
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
    dialect_surfaces=(("vertex_anthropic", frozenset({"messages", "count_tokens"})),),
    addresses="vertex",
    price_provider="google",
    auth=Auth.OAUTH,
    sign_in="google",
    surfaces=frozenset(),
    options=(
        OptionSpec("project", "id of the Google Cloud project", required=True, variable="GOOGLE_CLOUD_PROJECT"),
        OptionSpec(
            "region",
            "location, for instance `europe-west4`, or `global`",
            default="global",
            variable="GOOGLE_CLOUD_LOCATION",
            hosts=SPECIAL_HOSTS,
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
    auth=Auth.SIGNED,
    sign_in="aws",
    surfaces=frozenset(),
    options=(
        OptionSpec("region", "where the models run, for instance `us-east-1`", required=True, variable="AWS_REGION"),
        sign_in_option("ambient"),
        OptionSpec("profile", "the profile of this machine to sign in with, where `sign_in` is `ambient`"),
        OptionSpec("guardrail", "id or ARN of the guardrail that every request passes"),
        OptionSpec("guardrail_version", "its version", default="DRAFT"),
    ),
)

COHERE = ProviderSpec(
    name="cohere",
    title="Cohere",
    base_url="https://api.cohere.com/v2",
    usage=convention_for("cohere"),
    dialect="cohere",
    key_variable="COHERE_API_KEY",
    price_provider="cohere",
    surfaces=frozenset(),
)

CLOUDS = (GEMINI, VERTEX, BEDROCK, COHERE)
