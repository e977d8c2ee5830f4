"""What a provider counted, in disjoint kinds.

Providers disagree on whether cached, reasoning or audio tokens are inside their totals. Each adapter states its
provider's convention and converts once, here everything is disjoint: the sum of the input kinds is all that went in,
the sum of the output kinds all that came out, and no token is in two kinds.
"""

import msgspec


class Usage(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """Disjoint counts.

    Units: tokens, except ``images`` (generated images), ``requests``, ``web_searches``, ``audio_seconds`` (of sound
    that was heard, rounded up) and ``characters`` (of text that was spoken).

    ``citation`` are output tokens spent on citing sources, which some providers price apart; ``web_searches`` are
    searches the provider made for this request and bills one by one.

    Append new kinds at the end only: the journal stores this by position.
    """

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    audio_cache_read: int = 0
    image_input: int = 0
    output: int = 0
    reasoning: int = 0
    audio_output: int = 0
    image_output: int = 0
    images: int = 0
    requests: int = 1
    citation: int = 0
    web_searches: int = 0
    audio_seconds: int = 0
    characters: int = 0

    @property
    def input_total(self) -> int:
        """All input tokens, cached or not, of every modality."""
        return (
            self.input
            + self.cache_read
            + self.cache_write_5m
            + self.cache_write_1h
            + self.audio_input
            + self.audio_cache_read
            + self.image_input
        )

    @property
    def output_total(self) -> int:
        """All output tokens, reasoning included."""
        return self.output + self.reasoning + self.audio_output + self.image_output + self.citation


INPUT_KINDS = (
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "audio_input",
    "audio_cache_read",
    "image_input",
)
"""What `Usage.input_total` sums."""
OUTPUT_KINDS = ("output", "reasoning", "audio_output", "image_output", "citation")
"""What `Usage.output_total` sums."""
KINDS: tuple[str, ...] = Usage.__struct_fields__
"""The names of the kinds, in the order of the struct: also the names of price dimensions."""
