"""The text of an answer while it grows, in which places are given in bytes of UTF-8 and wanted in characters.

Finding a place costs no more than the words it names, however long the text is: the characters before every
`_STEP_BYTES` are counted once.
"""

_STEP_BYTES = 1_024
_SEARCHED_MAX_BYTES = 16 << 20
"""Of text that is searched for words that are not where they should be; beyond it they have no place."""
_CONTINUING = bytes(range(0x80, 0xC0))
"""Bytes that begin no character."""


class AnswerText:
    """One text. Attributes: searched_bytes, counted_bytes: the work that was done on it."""

    __slots__ = ("_chars", "_encoded", "_new", "counted_bytes", "searched_bytes")

    def __init__(self, text: str = "") -> None:
        self._new = [text] if text else []
        self._encoded = bytearray()
        self._chars = [0]
        self.counted_bytes = self.searched_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._new or self._encoded)

    def add(self, text: str) -> None:
        """More of it."""
        self._new.append(text)

    def place(self, start: int, end: int | None, words: str | None) -> tuple[int, int] | None:
        """The characters of a segment, ``None`` if it is not in the text.

        Args:
            start: byte at which it begins.
            end: byte behind it; ``None`` if not told.
            words: that it holds; ``None`` if not told.
        """
        self._encode()
        encoded = None if words is None else words.encode("utf-8", "replace")
        if end is not None and 0 <= start <= end <= len(self._encoded):
            if encoded is None:
                return self._char_at(start), self._char_at(end)
            self.counted_bytes += len(encoded)
            if end - start == len(encoded) and self._encoded.startswith(encoded, start):
                begin = self._char_at(start)
                return begin, begin + len(words or "")
        if not encoded or self.searched_bytes > _SEARCHED_MAX_BYTES:
            return None
        found = self._encoded.find(encoded)
        self.searched_bytes += len(self._encoded) if found < 0 else found
        if found < 0:
            return None
        begin = self._char_at(found)
        return begin, begin + len(words or "")

    def _encode(self) -> None:
        """Take in what came since the last time."""
        if not self._new:
            return
        self._encoded += "".join(self._new).encode("utf-8", "replace")
        self._new.clear()
        while (at := len(self._chars) * _STEP_BYTES) <= len(self._encoded):
            self._chars.append(self._char_at(at - _STEP_BYTES) + self._count(at - _STEP_BYTES, at))

    def _char_at(self, offset: int) -> int:
        """The character that begins at a byte, or after the one that the byte is in."""
        step, rest = divmod(offset, _STEP_BYTES)
        return self._chars[step] + (self._count(offset - rest, offset) if rest else 0)

    def _count(self, start: int, end: int) -> int:
        self.counted_bytes += end - start
        return len(self._encoded[start:end].translate(None, _CONTINUING))
