"""What a translation cannot carry: refused by name, or dropped and listed, as the project chose. Never silent."""

from tollway.errors import UnsupportedFieldError


class Losses:
    """Collects what gets lost on the way of one request.

    Attributes:
        dropped: names of fields that were left out, in order, each once: for the header ``x-tollway-dropped``.
    """

    __slots__ = ("_drop", "_target", "dropped")

    def __init__(self, *, drop: bool, target: str) -> None:
        """Args: drop: whether the project lets fields be dropped; target: who cannot take them, for the message."""
        self._drop = drop
        self._target = target
        self.dropped: list[str] = []

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
                f"`{field[:128]}` cannot be passed on: {reason}",
                next_step="Leave it out, ask a model whose provider takes it, or have an administrator let the project "
                "drop such fields (`drop_unsupported`).",
                param=field[:128],
            )
        if field not in self.dropped:
            self.dropped.append(field)
