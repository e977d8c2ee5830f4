"""Loads the base book: from its cache file, or from a process that builds it out of genai-prices."""

import asyncio
import hashlib
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import msgspec

from tollway.ledger import price_base as structure
from tollway.ledger.price_base import BaseBook, PriceBase
from tollway.providers import stated_free

BUILDER = "tollway.services.price_base_build"
BUILD_TIMEOUT_S = 60.0
"""It takes a second; a loaded machine may need ten."""
_FINGERPRINT_CHARS = 16


class PriceBaseUnavailableError(RuntimeError):
    """The base book could not be built: the installation is damaged."""


async def load_price_base(cache_dir: Path | None = None) -> PriceBase:
    """The base book of the installed genai-prices.

    Args:
        cache_dir: where the built book is kept, so that only the first start builds it. Without it every call does.

    Raises:
        PriceBaseUnavailableError: it could not be built.
    """
    cached = None if cache_dir is None else cache_dir / f"price-base-{_fingerprint()}.msgpack"
    book = None if cached is None else _read(cached)
    if book is None:
        encoded = await _build()
        book = msgspec.msgpack.decode(encoded, type=BaseBook)
        if cached is not None:
            _write(cached, encoded)
    return PriceBase(book)


def _fingerprint() -> str:
    """Changes with the prices and with the code that reads them."""
    digest = hashlib.sha256(version("genai-prices").encode())
    builder = Path(__file__).with_name("price_base_build.py")
    for source in (Path(structure.__file__), Path(stated_free.__file__), builder):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:_FINGERPRINT_CHARS]


def _read(path: Path) -> BaseBook | None:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=BaseBook)
    except (OSError, msgspec.DecodeError):
        return None


def _write(path: Path, encoded: bytes) -> None:
    """Put it in place in one step, since other workers may be reading, and drop those of other versions.

    A full disk only costs the cache.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as draft:
            draft.write(encoded)
        Path(draft.name).replace(path)
        for other in path.parent.glob("price-base-*.msgpack"):
            if other != path:
                other.unlink(missing_ok=True)
    except OSError:
        return


async def _build() -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", BUILDER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(BUILD_TIMEOUT_S):
            encoded, complaint = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise PriceBaseUnavailableError(f"{BUILDER} took longer than {BUILD_TIMEOUT_S:.0f} s.") from error
    if process.returncode != 0:
        last_line = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise PriceBaseUnavailableError(f"{BUILDER} failed: {last_line}")
    return encoded
