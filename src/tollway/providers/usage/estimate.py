"""Token counts by our own tokenizer, for requests whose provider was cut off before it counted. Always marked as such.

The encoding is o200k: exact for OpenAI's models since 2024, within some percent for the others' text. The tokens of a
chat template (a few for each message) are not counted. Loading it takes 65 MB, and 0.6 s in which no other thread of
the process runs: it happens at the first estimate, so that a worker that never estimates is spared both. Loaded at the
start, it would make every worker half as large again, and each restart after a fault 0.6 s longer.
"""

from collections.abc import Iterable

import toktok  # type: ignore[import-untyped]  # ships no types

from tollway.ledger.usage import Usage

ENCODING = "o200k_base"
COUNTED_MAX_CHARS = 262_144
"""Beyond it the tokens of the rest are taken to be as dense: the slowest text seen (base64) takes 35 ms at this length,
and the event loop waits for it."""


def estimate_tokens(text: bytes | str) -> int:
    """Tokens of one text; bytes are taken as UTF-8."""
    return estimate_all([text.decode("utf-8", "replace") if isinstance(text, bytes) else text])


def estimate_all(texts: Iterable[str]) -> int:
    """Tokens of several texts together."""
    left = COUNTED_MAX_CHARS
    total = 0
    counted: list[str] = []
    for text in texts:
        total += len(text)
        if left > 0:
            counted.append(text[:left])
            left -= len(counted[-1])
    return _scaled(count_tokens(counted, ENCODING), total, COUNTED_MAX_CHARS - left)


def estimate_usage(request_texts: Iterable[str], delivered_texts: Iterable[str]) -> Usage:
    """Usage of a request from the texts that were sent and those that came back."""
    return Usage(input=estimate_all(request_texts), output=estimate_all(delivered_texts))


def count_tokens(texts: list[str], encoding: str) -> int:
    """Tokens of several texts, of any length. The first call loads the encoding."""
    try:
        counts = toktok.batch_count(texts, encoding, threads=1)
    except UnicodeEncodeError:
        # JSON may carry half a surrogate pair, which is no text.
        counts = toktok.batch_count([text.encode("utf-8", "replace").decode() for text in texts], encoding, threads=1)
    return sum(counts)


def _scaled(counted: int, total: int, part: int) -> int:
    """Tokens of `total` units, of which `part` have `counted` tokens; rounded up."""
    return counted if total <= part else -(-counted * total // part)
