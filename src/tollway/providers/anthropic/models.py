"""What the models differ in, by their version: data for requests that are written anew.

Sources: https://platform.claude.com/docs/en/about-claude/models/overview, and the pages "Thinking", "Effort",
"Structured outputs" and "Mid-conversation system messages" there; the models' profiles in pydantic-ai, measured against
the API. Names are read as all who serve these models write them: ``claude-opus-4-5-20251101``,
``anthropic.claude-opus-4-5-v1:0``, ``claude-opus-4-5@20251101``, ``anthropic/claude-opus-4.5``,
``claude-3-7-sonnet-latest``. A name without a version is taken to be of the newest model.
"""

import re
from functools import lru_cache

import msgspec

_NAME = re.compile(r"claude-(?:(?P<family>[a-z]+)-)?(?P<major>\d{1,2})(?!\d)(?:[-.](?P<minor>\d{1,2})(?!\d))?")
_NEWEST = (99, 0)
_SEVERAL_SYSTEMS = {("opus", 4, 8), ("opus", 5, 0), ("opus", 5, 5)}
_SYSTEM_FAMILIES = frozenset({"fable", "mythos"})
_ALWAYS_THINKS = frozenset({"fable", "mythos"})
_OPUS_THAT_ALWAYS_THINKS = (5, 5)
_OUTPUT_LIMITS = (((4, 6), 128_000), ((4, 5), 64_000), ((3, 5), 8_192), ((0, 0), 4_096))
"""From which version on, and how much they write. Before 4.5, input and ``max_tokens`` together must fit the context:
what is asked for unasked is small there, 8,192 even of those that can write more."""


class Abilities(msgspec.Struct, frozen=True, gc=False):
    """What a model takes.

    Attributes:
        output_tokens: of one answer, where the caller does not say.
        thinks: whether it can think at all.
        adapts: whether it decides itself how much it thinks (``adaptive``).
        budgets: whether it takes a budget of thoughts.
        quiet: whether thinking can be turned off.
        quiet_between_tools: whether that is said as ``between_tools``.
        efforts: the levels of ``output_config.effort`` it takes, in order.
        samples: whether it takes ``temperature``, ``top_p`` and ``top_k``.
        schemas: whether it answers by a JSON schema.
        systems: whether system messages may stand between the others.
    """

    output_tokens: int
    thinks: bool
    adapts: bool
    budgets: bool
    quiet: bool
    quiet_between_tools: bool
    efforts: tuple[str, ...]
    samples: bool
    schemas: bool
    systems: bool


@lru_cache(maxsize=1_024)
def abilities(model: str) -> Abilities:
    """What a model takes, by its name at the provider."""
    found = _NAME.search(model)
    family = (found["family"] or "") if found else ""
    version = (int(found["major"]), int(found["minor"] or 0)) if found else _NEWEST
    return Abilities(
        output_tokens=next(limit for since, limit in _OUTPUT_LIMITS if version >= since),
        thinks=version >= (3, 7),
        adapts=version >= (4, 6),
        budgets=(3, 7) <= version < (4, 7),
        quiet=family not in _ALWAYS_THINKS and not (family == "opus" and version >= _OPUS_THAT_ALWAYS_THINKS),
        quiet_between_tools=family == "sonnet" and version >= (5, 5),
        efforts=_efforts(family, version),
        samples=version < (4, 7),
        schemas=version >= (4, 5) or (family == "opus" and version == (4, 1)),
        systems=family in _SYSTEM_FAMILIES or (family, *version) in _SEVERAL_SYSTEMS,
    )


def _efforts(family: str, version: tuple[int, int]) -> tuple[str, ...]:
    if version >= (4, 7):
        return ("low", "medium", "high", "xhigh", "max")
    if version >= (4, 6):
        return ("low", "medium", "high", "max")
    return ("low", "medium", "high") if family == "opus" and version == (4, 5) else ()
