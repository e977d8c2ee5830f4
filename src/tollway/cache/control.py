"""``Cache-Control`` of a request (RFC 9111, section 5.2.1): what of the cache the caller lets be used. Pure."""

import msgspec

_AGE_MAX_S = 2**31


class CacheControl(msgspec.Struct, frozen=True):
    """What a request allows.

    Attributes:
        reads: whether an answer from the cache will do (not with ``no-cache`` or ``no-store``).
        stores: whether the answer may be kept (not with ``no-store``).
        max_age_s: how old an answer may be; ``None`` for any age.
        only_cached: whether nothing but the cache is to be asked.
    """

    reads: bool = True
    stores: bool = True
    max_age_s: int | None = None
    only_cached: bool = False


EVERYTHING = CacheControl()


def cache_control(header: bytes) -> CacheControl:
    """Read the header; directives that are not known, or make no sense, are left out as the RFC says."""
    if not header:
        return EVERYTHING
    directives = {}
    for part in header.decode("latin-1").lower().split(","):
        name, _, value = part.strip().partition("=")
        directives[name.strip()] = value.strip().strip('"')
    age = directives.get("max-age", "")
    stores = "no-store" not in directives
    return CacheControl(
        reads=stores and "no-cache" not in directives,
        stores=stores,
        max_age_s=min(int(age), _AGE_MAX_S) if age.isdigit() and age.isascii() else None,
        only_cached="only-if-cached" in directives,
    )
