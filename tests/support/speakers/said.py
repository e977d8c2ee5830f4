"""What is said in each scenario."""

from dataclasses import dataclass

INPUT_TOKENS, CACHED_TOKENS, OUTPUT_TOKENS, REASONING_TOKENS = 100, 20, 30, 10
"""Of every answer: all that went in, what of it came from a cache, all that came out, and what of it was thought."""


@dataclass(frozen=True)
class Said:
    """One answer."""

    text: str = ""
    thinking: str = ""
    signature: str = ""
    calls: tuple[tuple[str, str, str], ...] = ()
    """``(id, name, arguments)``"""
    stop: str = "end"


SAID: dict[str, Said] = {
    "text": Said(text="Grüezi, “world” 🚏."),
    "tools": Said(
        text="I look.",
        calls=(
            ("call_1", "weather", '{"city":"Zürich","days":2}'),
            ("call_2", "clock", '{"zone":"Europe/Zurich"}'),
        ),
        stop="tools",
    ),
    "json": Said(text='{"city":"Oslo"}'),
    "thinking": Said(text="42", thinking="Six times seven.", signature="c2lnbmF0dXJl"),
    "length": Said(text="It was a dark and", stop="length"),
}


def pieces(text: str, size: int = 5) -> list[str]:
    """A text as it is streamed."""
    return [text[start : start + size] for start in range(0, len(text), size)]
