import pytest

from tollway.errors import UnprocessableError
from tollway.providers.registry import REGISTRY, OptionSpec, ProviderSpec
from tollway.providers.usage.conventions import convention_for
from tollway.services.provider_options import check_options, usual_base_url, with_defaults
from tollway.services.provider_settings import (
    CREDENTIAL_MAX_CHARS,
    ProviderSettings,
    clean_credential,
    credential_suffix,
    dialect_of,
    spec_of,
)

CLOUD = ProviderSpec(
    name="cloud",
    title="Cloud",
    base_url="https://models.{region}.cloud.example/v1",
    usage=convention_for("openai"),
    options=(
        OptionSpec("region", "where it runs, as eu-1", required=True),
        OptionSpec("api", "which of its two", default="new", choices=("new", "old")),
        OptionSpec("project", "the project that pays"),
    ),
)


@pytest.mark.parametrize(
    ("options", "param", "told"),
    [
        ({"region": "eu-1", "regoin": "x"}, "options.regoin", "`region` (where it runs, as eu-1), `api`"),
        ({}, "options.region", "where it runs"),
        ({"region": "eu-1", "api": "middle"}, "options.api", "new, old"),
        ({"region": "eu-1.evil.example/"}, "options.region", "where it runs"),
        ({"region": "eu-1@evil"}, "options.region", "where it runs"),
        ({"region": "-eu"}, "options.region", "where it runs"),
    ],
)
def test_an_option_that_a_kind_does_not_take_is_refused_by_name(options: dict[str, str], param: str, told: str) -> None:
    with pytest.raises(UnprocessableError) as refused:
        check_options(CLOUD, options)
    assert refused.value.param == param
    assert told in refused.value.next_step


def test_options_that_are_not_given_have_their_defaults_and_the_address_holds_their_values() -> None:
    options = check_options(CLOUD, {"region": "eu-1"})
    assert with_defaults(CLOUD, options) == {"region": "eu-1", "api": "new"}
    assert usual_base_url(CLOUD, options) == "https://models.eu-1.cloud.example/v1"


def test_a_document_over_many_lines_is_kept_on_one_that_any_header_takes() -> None:
    document = '{\n  "private_key": "-----BEGIN\\nüöä\\n",\r\n  "client_email": "a@b"\n}\n'
    kept = clean_credential(document)
    assert kept == '{"private_key":"-----BEGIN\\n\\u00fc\\u00f6\\u00e4\\n","client_email":"a@b"}'
    assert clean_credential(kept) == kept
    suffix = credential_suffix(kept)
    assert len(suffix) == 4
    assert suffix not in kept


@pytest.mark.parametrize("credential", ["", " \n", "{not json\n}", "sk-\nnext", "x" * (CREDENTIAL_MAX_CHARS + 1)])
def test_what_is_neither_a_key_nor_a_document_is_refused_and_not_shown(credential: str) -> None:
    with pytest.raises(UnprocessableError) as refused:
        clean_credential(credential)
    assert not credential.strip() or credential.strip() not in refused.value.text


def test_a_kind_whose_regions_have_hosts_of_their_own_is_asked_there() -> None:
    vertex = REGISTRY["vertex"]
    hosts = [usual_base_url(vertex, {"region": region}) for region in ("europe-west4", "global", "eu")]
    assert hosts == [
        "https://europe-west4-aiplatform.googleapis.com/v1",
        "https://aiplatform.googleapis.com/v1",
        "https://aiplatform.eu.rep.googleapis.com/v1",
    ]
    assert usual_base_url(vertex, {"project": "p"}) == hosts[1]


@pytest.mark.parametrize(
    ("name", "spec", "dialect", "kind"),
    [
        ("house", None, None, "openai_compatible"),
        ("house", None, "openai", "openai_compatible"),
        ("house", None, "anthropic", "anthropic"),
        ("groq", None, None, "groq"),
        ("house", "groq", "openai", "groq"),
    ],
)
def test_a_provider_is_of_the_kind_of_its_spec_its_name_or_its_dialect(
    name: str, spec: str | None, dialect: str | None, kind: str
) -> None:
    settings = ProviderSettings(spec=spec, dialect=dialect)
    assert spec_of(name, settings).name == kind
    assert dialect_of(spec_of(name, settings), settings) == REGISTRY[kind].dialect


@pytest.mark.parametrize(("spec", "dialect"), [(None, "latin"), ("groq", "anthropic"), (None, "vertex_anthropic")])
def test_a_dialect_that_a_kind_does_not_speak_is_refused(spec: str | None, dialect: str) -> None:
    settings = ProviderSettings(spec=spec, dialect=dialect)
    with pytest.raises(UnprocessableError, match="dialect"):
        dialect_of(spec_of("house", settings), settings)
