"""Images, sounds and files as parts of a content.

- Bytes are ``inlineData``, addresses ``fileData`` (https://ai.google.dev/gemini-api/docs/file-input-methods). Both want
  a media type: as it was said, else by the name of the file, else by the first bytes.
- What is sent as an image must be one, and as a sound likewise: a video would count many times as much. An address
  that does not tell is taken to be of a JPEG.
- An id of a file is one of Google's own (``files/…``, ``gs://…``), or it is lost.
- A file's own name is not told, as no field takes it; its title and its context are text before it.
"""

import mimetypes
from typing import Any

from tollway.chat.losses import Losses
from tollway.chat.message import AudioPart, FilePart, ImagePart, Media

_MAGIC = {
    "/9j/": "image/jpeg",
    "iVBOR": "image/png",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
    "JVBERi": "application/pdf",
}
"""Beginnings of base64."""
_SOUNDS = {"mp3": "audio/mp3", "pcm16": "audio/pcm"}
_KINDS = {ImagePart: "image/", AudioPart: "audio/"}
_ADDRESSES = ("https://", "http://", "gs://")
_FILES = "files/"


def media_parts(
    part: ImagePart | AudioPart | FilePart, *, base_url: str, losses: Losses, path: str
) -> list[dict[str, Any]]:
    """The part, and the text that goes before it.

    Args:
        part: it.
        base_url: of the API, where Google's own files live.
        losses: see `Losses`.
        path: of the part in the request.
    """
    before: list[dict[str, Any]] = []
    if isinstance(part, FilePart):
        before = [{"text": text} for text in (part.title, part.context) if text]
        if part.cites:
            losses.lose(f"{path}.citations")
    if part.media.kind == "text":
        return [*before, {"text": part.media.value}]
    mime = _mime(part)
    if not isinstance(part, FilePart) and mime and not mime.startswith(_KINDS[type(part)]):
        losses.lose(path, f"It is of the type `{mime[:64]}`: send it as a file.")
        return before
    found = _located(part.media, mime, base_url)
    if found is None:
        if isinstance(part, AudioPart) and part.transcript:
            return [{"text": part.transcript}]
        losses.lose(path, "It is an id of a file that is not at this provider, or of an unknown media type.")
        return before
    return [*before, found]


def _located(media: Media, mime: str, base_url: str) -> dict[str, Any] | None:
    if media.kind == "base64":
        return {"inlineData": {"mimeType": mime, "data": media.value}} if mime and media.value else None
    address = media.value
    if media.kind == "file_id":
        if address.startswith(_FILES):
            address = f"{base_url}/{address}"
        if not address.startswith(_ADDRESSES):
            return None
    data = {"fileUri": address}
    return {"fileData": {"mimeType": mime} | data if mime else data}


def _mime(part: ImagePart | AudioPart | FilePart) -> str:
    if part.media.mime:
        return part.media.mime
    if isinstance(part, AudioPart) and part.format:
        return _SOUNDS.get(part.format, f"audio/{part.format}")
    name = part.name if isinstance(part, FilePart) else ""
    if part.media.kind != "base64":
        name = name or part.media.value.partition("?")[0].partition("#")[0]
    guessed = mimetypes.guess_type(name)[0] if name else None
    if guessed:
        return guessed
    if part.media.kind != "base64":
        return "image/jpeg" if isinstance(part, ImagePart) else ""
    return next((mime for magic, mime in _MAGIC.items() if part.media.value.startswith(magic)), "")
