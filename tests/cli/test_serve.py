import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from support.gateway import clean_environment, free_port
from tollway.cli.serve import announce
from tollway.services.first_keys import FirstKeys
from tollway.supervisor.prepared import Prepared
from tollway.supervisor.serve import Announcement

KEYS = FirstKeys(admin_key="tw-admin", project_key="tw-project", url="http://127.0.0.1:8080")


def announced(prepared: Prepared) -> str:
    text = StringIO()
    ready = Announcement(
        url="http://127.0.0.1:8080",
        data_dir=Path("/data/[odd]"),
        keys_file=Path("/data/[odd]/first_keys.json"),
        prepared=prepared,
        workers=2,
        is_database_embedded=False,
        start_s=1.25,
    )
    announce(ready, Console(file=text, soft_wrap=True, highlight=False))
    return text.getvalue()


def test_the_first_start_shows_the_keys_and_how_to_use_them() -> None:
    text = announced(Prepared(keys=KEYS, providers=("groq",), model="local/smollm2"))
    assert "Administrator  tw-admin" in text
    assert "curl http://127.0.0.1:8080/v1/chat/completions -H 'Authorization: Bearer tw-project'" in text
    assert 'model="local/smollm2"' in text
    assert "messages=[question]" in text
    assert "Providers  groq (from the environment)" in text
    assert "http://127.0.0.1:8080/docs" in text
    assert "/data/[odd] (external PostgreSQL, 2 workers)" in text


def test_a_later_start_shows_no_key_but_where_they_are() -> None:
    text = announced(Prepared(model="local/smollm2"))
    assert "tw-" not in text
    assert "/data/[odd]/first_keys.json" in text


def test_without_a_local_model_it_says_how_to_get_one() -> None:
    text = announced(Prepared(keys=KEYS))
    assert "pip install 'tollway[local]'" in text
    assert "PROVIDER/MODEL" in text


def refusal(tmp_path: Path, **settings: str) -> str:
    environment = clean_environment() | {
        "TOLLWAY_DATA_DIR": str(tmp_path / "data"),
        "TOLLWAY_PORT": str(free_port()),
        "TOLLWAY_LOCAL_MODEL": "false",
        **settings,
    }
    command = [sys.executable, "-m", "tollway", "serve"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TOLLWAY_WORKRES": "2"}, "TOLLWAY_WORKRES is not a setting of Tollway. Did you mean TOLLWAY_WORKERS?"),
        ({"TOLLWAY_GRACEFUL_TIMEOUT_S": "soon"}, "TOLLWAY_GRACEFUL_TIMEOUT_S: Input should be a valid number"),
        ({"TOLLWAY_LOCAL_MODEL": "true", "TOLLWAY_LOCAL_GGUF": "/no/model.gguf"}, "/no/model.gguf"),
        ({"TOLLWAY_MASTER_KEY": "c2hvcnQ="}, "TOLLWAY_MASTER_KEY has 5 bytes"),
        ({"TOLLWAY_HOST": "203.0.113.7"}, "cannot listen on 203.0.113.7"),
    ],
)
def test_what_keeps_it_from_starting_is_told_in_words(tmp_path: Path, settings: dict[str, str], words: str) -> None:
    assert words in refusal(tmp_path, **settings)


def test_a_database_that_cannot_be_reached_is_told_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://tollway:very-secret@127.0.0.1:{free_port()}/tollway"
    words = refusal(tmp_path, TOLLWAY_DATABASE_URL=url)
    assert "The database could not be migrated" in words
    assert "very-secret" not in words
