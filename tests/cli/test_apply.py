"""`tollway apply`, on a running gateway."""

import stat
from pathlib import Path

import pytest
import yaml

from support.command import Command
from tollway.cli.declaration import FILE_MAX_BYTES, Declaration, load_declaration
from tollway.cli.failure import CommandError, ExitCode

EXAMPLE = Path(__file__).parents[2] / "examples" / "tollway.yaml"
VENDOR_KEY = "sk-of-the-vendor-1234567890"


@pytest.fixture
def file(tollway: Command, organization: str) -> Path:
    """The example, for an organization of its own."""
    path = tollway.folder / "tollway.yaml"
    path.write_text(f"organization: {organization}\n{EXAMPLE.read_text()}")
    return path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def signs(tollway: Command, *words: str) -> list[str]:
    """The lines of the diff that begin with a sign."""
    return [
        line for line in tollway.ok("apply", "--dry-run", *words).out.splitlines() if line[:2] in {"+ ", "~ ", "- "}
    ]


@pytest.mark.usefixtures("file")
def test_the_example_is_made_so_and_the_second_time_changes_nothing(tollway: Command, organization: str) -> None:
    before = tollway.ok("apply", "--dry-run", "--json").json
    assert before["applied"] is False
    assert tollway.ok("projects", "list", "-o", organization, "--json").json["data"] == []

    done = tollway.ok("apply", "--json").json
    assert done["applied"] is True
    assert done["changes"] == before["changes"]
    assert [(key["project"], key["name"], key["key"][:3]) for key in done["keys"]] == [("chatbot", "backend", "tw-")]

    again = tollway.ok("apply")
    assert (again.out, again.err) == ("", "No changes: everything is as declared.\n")
    assert (
        tollway.ok("aliases", "list", "-o", organization, "--json").json["data"][0]["target"] == "house/llama-3.3-70b"
    )
    rates = tollway.ok("prices", "show", "house/llama-3.3-70b", "-o", organization, "--json").json["rates"]
    assert (rates["input"]["usd_per_million"], rates["output"]["usd_per_million"]) == ("0.2", "0.8")


def test_a_difference_is_shown_made_and_gone(tollway: Command, file: Path) -> None:
    tollway.ok("apply")
    change(file, "input: 0.20", "input: 0.25")
    change(file, "allow_unpriced: false", "cache_ttl_s: 60")
    change(file, "fast: house/llama-3.3-70b", "fast: house/llama-4")
    change(file, "- llama-3.3-70b", "- llama-4")
    assert signs(tollway) == [
        "~ provider house",
        "~ price house/llama-3.3-70b",
        "~ project chatbot",
        "~ alias chatbot/fast",
    ]
    assert "input 0.2, output 0.8 → input 0.25, output 0.8" in tollway.ok("apply").out
    assert signs(tollway) == []


def test_routes_and_further_credentials_are_made_so_and_the_second_time_changes_nothing(
    tollway: Command, organization: str
) -> None:
    text = f"""
organization: {organization}
providers:
  - {{name: groq, api_key_env: FIRST, credentials: [{{name: second, api_key_env: SECOND}}]}}
  - {{name: mistral, api_key_env: FIRST}}
projects:
  - name: web
    aliases:
      plain: groq/llama
      fast:
        strategy: weighted
        targets: [groq/llama, {{target: mistral/small, weight: 3}}]
        rules: [{{when: {{needs: [tools]}}, targets: [mistral/small]}}]
        canary: {{target: mistral/new, percent: 5}}
"""
    keys = {"FIRST": VENDOR_KEY, "SECOND": f"{VENDOR_KEY}-second"}
    made = tollway.ok("apply", "-f", "-", "--json", stdin=text, **keys).json["changes"]
    assert [(change["noun"], change["name"]) for change in made] == [
        ("provider", "groq"),
        ("credential", "groq/second"),
        ("provider", "mistral"),
        ("project", "web"),
        ("alias", "web/plain"),
        ("alias", "web/fast"),
    ]
    assert tollway.ok("apply", "-f", "-", stdin=text, **keys).err.startswith("No changes")
    other = text.replace("weight: 3", "weight: 4").replace("plain: groq/llama", "plain: [groq/llama]")
    assert "projects[0].aliases.plain" in tollway("apply", "-f", "-", stdin=other, **keys).err
    other = text.replace("weight: 3", "weight: 4") + "      slow: {targets: [mistral/small]}\n"
    changed = tollway.ok("apply", "-f", "-", stdin=other, **keys | {"SECOND": "sk-another-credential-1234"}).out
    assert [line for line in changed.splitlines() if line[:2] in {"+ ", "~ "}] == [
        "~ credential groq/second",
        "~ alias web/fast",
        "+ alias web/slow",
    ]
    assert "groq/llama, mistral/small (weight 3)" in changed
    assert signs(tollway, "-f", "-", "--prune") == []  # stdin is empty: nothing declared


def test_one_number_written_in_two_ways_is_no_difference(tollway: Command, file: Path) -> None:
    tollway.ok("apply")
    change(file, "input: 0.20", "input: '0.200'")
    change(file, "output: 0.80", "output: 8.0e-1")
    assert signs(tollway) == []


def test_nothing_is_removed_unless_pruning_was_asked_for(tollway: Command, file: Path, organization: str) -> None:
    tollway.ok("apply")
    tollway.ok("projects", "create", "old", "-o", organization)
    tollway.ok("aliases", "set", "slow", "house/llama-3.3-70b", "--project", "old", "-o", organization)
    tollway.ok("keys", "create", "--name", "spare", "--project", "chatbot", "-o", organization)
    change(file, "name: house", "name: home")
    change(file, "house/", "home/")
    assert [line for line in signs(tollway) if line.startswith("-")] == []
    removed = [
        "- alias old/slow",
        "- key chatbot/spare",
        "- price house/llama-3.3-70b",
        "- project old",
        "- provider house",
    ]
    assert [line for line in signs(tollway, "--prune") if line.startswith("-")] == removed
    asked = tollway("apply", "--prune")
    assert asked.code == 1
    assert "Nothing was changed" in asked.err
    tollway.ok("apply", "--prune", "--yes")
    assert signs(tollway, "--prune") == []


def test_a_section_that_is_left_out_is_not_pruned(tollway: Command, file: Path, organization: str) -> None:
    tollway.ok("apply")
    file.write_text(f"organization: {organization}\nprices: []\n")
    assert signs(tollway, "--prune") == ["- price house/llama-3.3-70b"]


def test_a_provider_key_is_never_shown_and_sent_again_only_if_it_is_another(
    tollway: Command, organization: str
) -> None:
    text = f"organization: {organization}\nproviders: [{{name: groq, api_key_env: VENDOR_KEY}}]\n"
    first = tollway.ok("apply", "-f", "-", stdin=text, VENDOR_KEY=VENDOR_KEY)
    assert "credential: (secret)" in first.out
    assert VENDOR_KEY not in first.out + first.err
    assert tollway.ok("apply", "-f", "-", stdin=text, VENDOR_KEY=VENDOR_KEY).err.startswith("No changes")
    assert "~ provider groq" in tollway.ok("apply", "-f", "-", stdin=text, VENDOR_KEY=f"{VENDOR_KEY}-new").out


def test_a_provider_key_that_is_not_there_is_told_before_anything_changes(tollway: Command, organization: str) -> None:
    text = f"organization: {organization}\nprojects: [{{name: p}}]\nproviders: [{{name: groq, api_key_env: NOT_SET}}]\n"
    done = tollway("apply", "-f", "-", stdin=text)
    assert done.code == 2
    assert "NOT_SET is not set" in done.err
    assert tollway.ok("projects", "list", "-o", organization, "--json").json["data"] == []


def test_a_key_file_and_a_new_key_lie_beside_the_file(tollway: Command, organization: str) -> None:
    folder = tollway.folder / "conf"
    folder.mkdir()
    (folder / "vendor.key").write_text(f"{VENDOR_KEY}\n")
    (folder / "t.yaml").write_text(
        f"organization: {organization}\nproviders: [{{name: groq, api_key_file: vendor.key}}]\n"
        "projects: [{name: p, keys: [{name: k, file: new.key}]}]\n"
    )
    done = tollway.ok("apply", "-f", "conf/t.yaml")
    made = folder / "new.key"
    assert made.read_text().startswith("tw-")
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert made.read_text().strip() not in done.out + done.err


def test_what_was_made_before_a_refusal_stays_and_the_next_run_goes_on(tollway: Command, organization: str) -> None:
    text = f"organization: {organization}\nprojects: [{{name: good}}, {{name: Not Good}}]\n"
    done = tollway("apply", "-f", "-", stdin=text)
    assert done.code == 1
    assert "project Not Good" in done.err
    assert "1 of 2 changes were made before" in done.err
    assert signs(tollway, "-f", "-") == []  # stdin is empty: nothing declared
    assert "good" in tollway.ok("projects", "list", "-o", organization).out


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("providers:\n- name: x\n  nmae: y\n", "providers[0].nmae"),
        ("projects:\n- {}\n", "projects[0].name"),
        ("prices:\n- model: x\n  rates: {input: 1}\n", "prices[0].model"),
        ("prices:\n- model: x/y\n  rates: {inptu: 1}\n", "prices[0].rates"),
        ("prices:\n- model: x/y\n  rates: {input: -1}\n", "prices[0].rates.input"),
        ("prices:\n- model: x/y\n  rates: {input: .nan}\n", "prices[0].rates.input"),
        ("projects: [{name: x}, {name: x}]\n", "Declared twice in projects: x"),
        ("providers: [{name: x, api_key_env: A, api_key_file: b}]\n", "not both"),
        ("- a list\n", "the file"),
        ("a: [", "not valid YAML"),
        ("!!python/object/apply:os.system ['true']\n", "not valid YAML"),
        ("[" * 20_000, "not valid YAML"),
        ("#" * (FILE_MAX_BYTES + 1), "more than"),
    ],
)
def test_what_cannot_be_is_named_by_place_and_is_wrong_usage(alone: Command, text: str, place: str) -> None:
    done = alone("apply", "-f", "-", stdin=text)
    assert (done.code, done.out) == (2, "")
    assert place in done.err
    assert "Traceback" not in done.err


def test_a_value_in_the_wrong_place_is_not_shown(alone: Command) -> None:
    done = alone("apply", "-f", "-", stdin=f"providers: [{{name: x, api_key: {VENDOR_KEY}}}]\n")
    assert "providers[0].api_key" in done.err
    assert VENDOR_KEY not in done.err


def test_the_example_is_valid_and_is_what_init_writes(alone: Command) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert Declaration.model_validate(yaml.safe_load(text)).projects
    alone("init", "--example", "written.yaml", "--database-url", "postgresql://nobody@127.0.0.1:1/none")
    assert (alone.folder / "written.yaml").read_text(encoding="utf-8") == text


def test_budgets_limits_and_settings_are_made_so_and_a_change_changes_what_is_there(
    tollway: Command, file: Path, organization: str
) -> None:
    file.write_text(
        file.read_text() + "settings: {time_zone: Europe/Berlin, serve_without_database: true}\n", encoding="utf-8"
    )
    change(file, "allow_unpriced: false", "clamp_output: false")
    tollway.ok("apply")
    budgets = tollway.ok("budgets", "list", "-o", organization, "--json").json["data"]
    assert [(row["project"], row["window"], row["limit_usd"], row["mode"], row["each"]) for row in budgets] == [
        ("chatbot", "month", "200", "hard", []),
        ("chatbot", "day", "0.5", "soft", ["user"]),
    ]
    limits = tollway.ok("limits", "list", "-o", organization, "--json").json["data"]
    assert {(row["key"], row["unit"], row["window"], row["limit"], row["queue_s"]) for row in limits} == {
        ("backend", "requests", "minute", 600, 2),
        ("backend", "tokens", "day", 5_000_000, 2),
        ("backend", "parallel", None, 32, 2),
    }
    assert tollway.ok("projects", "show", "chatbot", "-o", organization, "--json").json["clamp_output"] is False
    change(file, "limit_usd: 200", "limit_usd: 300")
    change(file, "requests_per_minute: 600", "requests_per_minute: 60")
    changed = tollway.ok("apply", "--json").json["changes"]
    assert [(change["action"], change["name"], change["fields"]) for change in changed] == [
        ("change", "project chatbot a month", {"limit_usd": {"from": "200", "to": "300"}}),
        ("change", "project chatbot, key backend: requests a minute", {"limit": {"from": 600, "to": 60}}),
    ]


@pytest.mark.usefixtures("file")
def test_a_limit_of_a_revoked_key_is_not_taken_for_one_of_its_successor(tollway: Command, organization: str) -> None:
    tollway.ok("apply")
    tollway.ok("keys", "revoke", "backend", "--project", "chatbot", "--yes", "-o", organization)
    made = tollway.ok("apply", "--json").json
    assert [change["noun"] for change in made["changes"]] == ["key", "limit", "limit", "limit"]
    assert len([line for line in signs(tollway, "--prune") if line.startswith("- limit")]) == 3


@pytest.mark.usefixtures("file")
def test_quotas_that_are_not_declared_are_removed_by_pruning_alone(tollway: Command, organization: str) -> None:
    tollway.ok("apply")
    tollway.ok("budgets", "set", "--window", "rolling:24h", "--limit-usd", "1", "--tag", "team=red", "-o", organization)
    assert signs(tollway) == []
    assert signs(tollway, "--prune") == ["- budget tag team=red a rolling:1d"]


def test_a_webhooks_secret_goes_to_its_file(tollway: Command, file: Path, organization: str) -> None:
    file.write_text(f"""
organization: {organization}
webhooks:
  - {{name: alerts, url: "https://1.1.1.1/hook", secret_file: alerts.secret}}
  - {{name: other, url: "https://1.1.1.1/hook", events: ["*"]}}
""")
    done = tollway.ok("apply", "--json").json
    assert [(row["name"], row["secret"] and row["secret"][:6]) for row in done["webhooks"]] == [
        ("alerts", None),
        ("other", "whsec_"),
    ]
    secret = tollway.folder / "alerts.secret"
    assert secret.read_text().startswith("whsec_")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text",
    [
        "budgets: [{window: fortnight, limit_usd: 1}]",
        "budgets: [{window: day, limit_usd: -1}]",
        "budgets: [{window: day, limit_usd: 1, key: backend}]",
        "limits: [{project: chatbot}]",
        "limits: [{requests_per_week: 1}]",
        "webhooks: [{name: a, url: 'https://1.1.1.1'}, {name: a, url: 'https://1.1.1.1'}]",
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tollway.yaml"
    file.write_text(text)
    with pytest.raises(CommandError) as told:
        load_declaration(str(file))
    assert told.value.exit_code == ExitCode.USAGE
