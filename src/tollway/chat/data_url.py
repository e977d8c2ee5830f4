"""Bytes in an address: ``data:image/png;base64,…`` (RFC 2397). Pure."""

from tollway.chat.message import Media

_BASE64 = ";base64"


def media_of(url: str) -> Media:
    """What an address names; one with the bytes in itself is taken apart."""
    if url[:5].lower() != "data:":
        return Media("url", url)
    head, comma, value = url[5:].partition(",")
    if not comma or not head.endswith(_BASE64):
        return Media("url", url)
    return Media("base64", value, head.removesuffix(_BASE64))


def url_of(media: Media, default_mime: str = "application/octet-stream") -> str:
    """The address of a medium of the kind ``url`` or ``base64``."""
    if media.kind == "url":
        return media.value
    return f"data:{media.mime or default_mime}{_BASE64},{media.value}"
