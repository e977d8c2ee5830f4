"""Bytes in an address."""

import pytest

from tollway.chat.data_url import media_of, url_of
from tollway.chat.message import Media


@pytest.mark.parametrize(
    ("url", "media"),
    [
        ("data:image/png;base64,AAAA", Media("base64", "AAAA", "image/png")),
        ("DATA:;base64,AAAA", Media("base64", "AAAA")),
        ("data:text/plain,hello", Media("url", "data:text/plain,hello")),
        ("data:image/png;base64", Media("url", "data:image/png;base64")),
        ("https://example.com/a.png", Media("url", "https://example.com/a.png")),
    ],
)
def test_an_address_with_bytes_in_it_is_taken_apart(url: str, media: Media) -> None:
    assert media_of(url) == media


def test_bytes_are_put_into_an_address() -> None:
    assert url_of(Media("base64", "AAAA", "image/webp")) == "data:image/webp;base64,AAAA"
    assert url_of(Media("base64", "AAAA"), "image/png") == "data:image/png;base64,AAAA"
    assert url_of(Media("url", "https://example.com")) == "https://example.com"
