"""An answer is the same whether it comes whole or as events."""

from hypothesis import given
from msgspec import Raw
from msgspec.json import decode

from support.chats import replies
from support.told import events_of
from tollway.chat.collect import collect, joined_logprobs
from tollway.chat.events import Begun, Broke, Delta, PartBegun
from tollway.chat.message import TextPart
from tollway.chat.reply import ChatReply, Choice


@given(replies())
def test_an_answer_told_as_events_is_the_same_answer(reply: ChatReply) -> None:
    assert collect(events_of(reply)) == reply


def test_a_stream_that_breaks_off_is_an_answer_as_far_as_it_came() -> None:
    events = [Begun(model="m"), PartBegun(0, 0, TextPart(text="")), Delta(0, 0, "Hel"), Delta(0, 0, "lo"), Broke("no")]
    assert collect(events) == ChatReply(model="m", choices=(Choice(parts=(TextPart(text="Hello"),)),))


def test_probabilities_told_token_by_token_are_joined() -> None:
    pieces = [Raw(b'{"content":[{"token":"a"}],"refusal":null}'), Raw(b'{"content":[{"token":"b"}]}')]
    joined = joined_logprobs(pieces)
    assert joined is not None
    assert decode(joined) == {"content": [{"token": "a"}, {"token": "b"}], "refusal": None}
