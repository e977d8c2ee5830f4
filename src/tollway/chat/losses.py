"""What a translation cannot carry: refused by name, or dropped and listed, as the project chose. Never silent."""

from itertools import islice

from tollway.errors import UnsupportedFieldError

_SHOWN_MAX = 50
"""Names that are listed; of more, how many they are: a dialogue may have the same field in thousands of messages."""
_NAME_MAX_CHARS = 128


class Losses:
    """Collects what gets lost on the way of one request."""

    __slots__ = ("_drop", "_lost", "_target")

    def __init__(self, *, drop: bool, target: str) -> None:
        """Args: drop: whether the project lets fields be dropped; target: who cannot take them, for the message."""
        self._drop = drop
        self._target = target
        self._lost: dict[str, None] = {}

    @property
    def dropped(self) -> list[str]:
        """Names of fields that were left out, in order, each once, fit for the header ``x-tollway-dropped``."""
        names = [name if name.isprintable() else ascii(name)[1:-1] for name in islice(self._lost, _SHOWN_MAX)]
        more = len(self._lost) - len(names)
        return [*names, f"and {more} more"] if more else names

    def lose(self, field: str, why: str = "") -> None:
        """Note that a field cannot be carried.

        Args:
            field: its path in the caller's dialect, for instance ``messages.2.content.0.input_audio``.
            why: one sentence without the field's name, if there is more to say than that the target has no such thing.

        Raises:
            UnsupportedFieldError: fields are not to be dropped.
        """
        if not self._drop:
            reason = why or f"{self._target} has nothing that it could be translated to."
            raise UnsupportedFieldError(
                f"`{field[:_NAME_MAX_CHARS]}` cannot be passed on: {reason}",
                next_step="Leave it out, ask a model whose provider takes it, or have an administrator let the project "
                "drop such fields (`drop_unsupported`).",
                param=field[:_NAME_MAX_CHARS],
            )
        self._lost[field[:_NAME_MAX_CHARS]] = None
