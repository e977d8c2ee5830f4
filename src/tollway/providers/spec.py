"""What is stated of a provider: one row of `tollway.providers.registry`."""

import msgspec

from tollway.providers.auth import STATIC, Auth
from tollway.providers.chat_form import ANY_FORM, ChatForm
from tollway.providers.usage.conventions import UsageConvention
from tollway.routing.catalog import Deployment

OPENAI_SURFACES = frozenset({"chat", "completions", "embeddings"})
"""What nearly every server of the OpenAI dialect has."""
SIGN_IN = "sign_in"
"""Name of the option that says with which identity a cloud is signed in to."""
_CREDENTIAL = "credential"
OBJECT_IDS = "object_ids"
"""Name of the option, of all kinds, that says which objects at the provider requests may name."""
_ANY = "any"


class OptionSpec(msgspec.Struct, frozen=True):
    """One thing that a kind of provider needs or takes besides an address and a credential.

    Attributes:
        name: its name in `Deployment.options`, for instance ``region``.
        description: for people: what it is, and what it may be.
        required: whether a provider of this kind cannot be without it.
        default: its value where none is given; `Deployment.options` then holds this one.
        variable: the environment variable from which it is taken at start, beside the credential.
        choices: the only values it may have; empty for any.
        hosts: values → the host of the kind's own address for them, where that does not follow the others' pattern.
    """

    name: str
    description: str
    required: bool = False
    default: str = ""
    variable: str = ""
    choices: tuple[str, ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()


COMMON_OPTIONS = (
    OptionSpec(
        OBJECT_IDS,
        "`any` passes on ids of files, containers, vector stores and the like whoever made them: for an account that "
        "one project has, or several that may see each other's; else only files that the project uploaded here",
        choices=("own", _ANY),
    ),
)
"""What providers of every kind take."""


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
        stream_usage_option: whether it understands ``stream_options.include_usage``. Without it the provider either
            always sends usage at the end of a stream, or never (then usage is estimated).
        usage: how it counts.
        auth: how it is shown its credential.
        surfaces: the surfaces of Tollway's that it has itself, so that bytes pass through; others are translated to its
            dialect, where they can be.
        dialects: beginnings of model names → the dialect in which it serves them, where that is not `dialect`.
        dialect_surfaces: dialect of `dialects` → the surfaces that it has itself for those models.
        output_limit_fields: the fields of a chat completion by which it bounds its output, the best one first. A bound
            in another one it does not heed, so a request with a hard budget gets one of these.
        options: what it needs or takes besides; others are refused.
        form: what of a chat completion it takes, for requests that are translated to the OpenAI format.
        addresses: how its addresses are put together (`tollway.providers.address`); empty for below `base_url`.
        sign_in: the cloud that signs in to it (`tollway.providers.sign_in`): ``aws``, ``azure``, ``google``; or empty.
    """

    name: str
    title: str
    base_url: str
    usage: UsageConvention
    dialect: str = "openai"
    key_variable: str = ""
    url_variable: str = ""
    price_provider: str = ""
    stream_usage_option: bool = False
    output_limit_fields: tuple[str, ...] = ("max_tokens",)
    auth: Auth = Auth.BEARER
    surfaces: frozenset[str] = OPENAI_SURFACES
    dialects: tuple[tuple[str, str], ...] = ()
    dialect_surfaces: tuple[tuple[str, frozenset[str]], ...] = ()
    options: tuple[OptionSpec, ...] = ()
    form: ChatForm = ANY_FORM
    addresses: str = ""
    sign_in: str = ""

    def auth_for(self, deployment: Deployment) -> Auth:
        """How a deployment shows its credential.

        Where a cloud takes keys and tokens, an account (a JSON document) or the machine's own identity means tokens.
        """
        if not self.sign_in or self.auth not in STATIC:
            return self.auth
        machine = deployment.options.get(SIGN_IN, _CREDENTIAL) not in {"", _CREDENTIAL}
        return Auth.OAUTH if machine or deployment.credential.startswith("{") else self.auth

    def dialect_of(self, model: str) -> str:
        """The dialect in which it serves a model."""
        if not self.dialects:
            return self.dialect
        return next((dialect for beginning, dialect in self.dialects if model.startswith(beginning)), self.dialect)

    def surfaces_of(self, model: str) -> frozenset[str]:
        """The surfaces that it has itself for a model."""
        if not self.dialect_surfaces:
            return self.surfaces
        return dict(self.dialect_surfaces).get(self.dialect_of(model), self.surfaces)


def any_object(deployment: Deployment) -> bool:
    """Whether requests may name what lies at a provider, whoever made it."""
    return deployment.options.get(OBJECT_IDS) == _ANY


def sign_in_option(*identities: str) -> OptionSpec:
    """How a cloud is signed in to. Args: identities: what it may be besides ``credential``; see `sign_in.identity`."""
    return OptionSpec(
        SIGN_IN,
        "`credential` signs in with what is stored; `ambient` as the machine Tollway runs on; `federated` with a "
        "document that may name files and addresses of that machine. All but the first need scope `platform`",
        default="credential",
        choices=("credential", *identities),
    )
