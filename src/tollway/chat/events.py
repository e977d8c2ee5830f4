"""A streamed answer as a sequence of events: what every provider's stream is read into, and every dialect's made of.

Order: `Begun`, then for each answer (`choice`) any number of parts, each `PartBegun` … `PartEnded` with deltas of the
same `index` between them (parts of one answer may overlap: some providers interleave tool calls), then `Ended`.
`Counted` may come at any time and more than once: the last one holds. `Beside` may come at any time too. `Broke` ends
everything.
"""

import msgspec
from msgspec import Raw

from tollway.chat.message import Citation, Part
from tollway.chat.reply import Stop
from tollway.ledger.usage import Usage


class Begun(msgspec.Struct, frozen=True, gc=False):
    """The provider began to answer. Attributes: as of `tollway.chat.reply.ChatReply`."""

    id: str = ""
    model: str = ""
    created_s: int = 0
    service_tier: str = ""
    fingerprint: str = ""


class PartBegun(msgspec.Struct, frozen=True, gc=False):
    """A part began. Attributes: part: what is known of it, its text (arguments, data) as far as it is there."""

    choice: int
    index: int
    part: Part


class Delta(msgspec.Struct, frozen=True, gc=False):
    """More of a part: of the text of a text, refusal or thinking part, of a call's arguments, of a sound's base64."""

    choice: int
    index: int
    text: str


class SignatureDelta(msgspec.Struct, frozen=True, gc=False):
    """More of the signature of a thinking part or a tool call."""

    choice: int
    index: int
    signature: str


class TranscriptDelta(msgspec.Struct, frozen=True, gc=False):
    """More of the transcript of a sound."""

    choice: int
    index: int
    text: str


class Cited(msgspec.Struct, frozen=True, gc=False):
    """A source of a text part."""

    choice: int
    index: int
    citation: Citation


class Logprobs(msgspec.Struct, frozen=True, gc=False):
    """Probabilities of the tokens since the last such event, in the form of `tollway.chat.reply.Choice.logprobs`."""

    choice: int
    logprobs: Raw


class PartEnded(msgspec.Struct, frozen=True, gc=False):
    """A part is whole."""

    choice: int
    index: int


class Beside(msgspec.Struct, frozen=True, gc=False):
    """What the provider told beside the answer, see `tollway.chat.beside`; a list goes on where one ended before."""

    choice: int
    name: str
    raw: Raw


class Ended(msgspec.Struct, frozen=True, gc=False):
    """An answer is whole."""

    choice: int
    stop: Stop | None
    stop_sequence: str = ""
    safety: Raw | None = None


class Counted(msgspec.Struct, frozen=True, gc=False):
    """The provider's count so far, of the whole request.

    Attributes:
        whole: whether it is of the whole answer, and not of a part of it.
    """

    usage: Usage
    whole: bool
    provider_cost: int | None = None
    service_tier: str = ""


class Broke(msgspec.Struct, frozen=True, gc=False):
    """The provider reported an error inside the stream. Attributes: kind: its own name for it."""

    message: str
    kind: str = ""


Event = (
    Begun
    | PartBegun
    | Delta
    | SignatureDelta
    | TranscriptDelta
    | Cited
    | Logprobs
    | Beside
    | PartEnded
    | Ended
    | Counted
    | Broke
)
