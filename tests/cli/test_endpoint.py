"""Which server and which key a command uses."""

import json
from pathlib import Path

import pytest

from tollway.cli.endpoint import DEFAULT_URL, find_endpoint
from tollway.cli.failure import CommandError

KEYS = {"admin_key": "tw-admin", "project_key": "tw-project", "url": "http://127.0.0.1:9999"}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "first_keys.json").write_text(json.dumps(KEYS))
    return tmp_path


def test_without_anything_the_usual_address_is_meant(tmp_path: Path) -> None:
    found = find_endpoint(None, None, tmp_path, "admin_key")
    assert (found.url, found.key) == (DEFAULT_URL, None)


def test_the_data_directory_tells_address_and_key(data_dir: Path) -> None:
    found = find_endpoint(None, None, data_dir, "admin_key")
    assert (found.url, found.key) == ("http://127.0.0.1:9999", "tw-admin")
    assert find_endpoint(None, None, data_dir, "project_key").key == "tw-project"


def test_what_was_given_wins(data_dir: Path) -> None:
    found = find_endpoint("https://tollway.example/", "tw-given", data_dir, "admin_key")
    assert (found.url, found.key) == ("https://tollway.example", "tw-given")


@pytest.mark.parametrize("url", ["https://tollway.example", "http://10.0.0.1:9999", "http://127.0.0.1.evil.example"])
def test_the_key_of_the_data_directory_never_goes_to_another_host(data_dir: Path, url: str) -> None:
    assert find_endpoint(url, None, data_dir, "admin_key").key is None


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.1:7", "http://[::1]:8080"])
def test_the_key_of_the_data_directory_goes_to_this_machine(data_dir: Path, url: str) -> None:
    assert find_endpoint(url, None, data_dir, "admin_key").key == "tw-admin"


@pytest.mark.parametrize("url", ["tollway.example", "ftp://tollway.example", "http://", "file:///etc/passwd"])
def test_what_is_no_http_address_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="not an http or https address"):
        find_endpoint(url, "tw-x", tmp_path, "admin_key")


@pytest.mark.parametrize("text", ["", "no JSON", "\xff"])
def test_a_damaged_file_of_keys_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "first_keys.json").write_text(text, encoding="latin-1")
    with pytest.raises(CommandError, match="cannot be read"):
        find_endpoint(None, None, tmp_path, "admin_key")


def test_a_key_does_not_show_when_an_endpoint_is_printed(data_dir: Path) -> None:
    assert "tw-" not in repr(find_endpoint(None, None, data_dir, "admin_key"))
