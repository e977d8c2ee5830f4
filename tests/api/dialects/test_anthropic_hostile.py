"""Requests in Anthropic's dialect with values that are anything but what it says: refused, never a defect."""

import json
import random
from collections.abc import Iterator
from typing import Any

import msgspec

from support.anthropic_recordings import messages, needs_recordings
from tollway.api.inference.surfaces import DIALECTS, SURFACES
from tollway.chat.losses import Losses
from tollway.errors import TollwayError
from tollway.providers.anthropic.adapter import AnthropicAdapter
from tollway.providers.anthropic.request import messages_body
from tollway.providers.registry import REGISTRY
from tollway.providers.token_count import TokenCount

STRANGE = (
    *("null", "true", "0", "-1", "1.5", '""', '"x"', "[]", "{}", "[1]", '["a"]', '{"type":"text"}', '{"type":1}'),
    *("[[]]", "[{}]", '"\\ud83d"', "1e400", "1" * 40, '{"type":"content","content":[{"type":"text","text":1}]}'),
)
MUTATIONS = 1_500
SHORT_CHARS = 4_000


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where there is a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield (*path, name)
        yield from places(each, (*path, name))


def mutated(body: dict[str, Any], chance: random.Random) -> bytes:
    """The body with something strange in up to three places."""
    changed = json.loads(json.dumps(body))
    for _ in range(chance.randint(1, 3)):
        *outer, last = chance.choice(list(places(changed)) or [("model",)])
        holder = changed
        for name in outer:
            holder = holder[name]
        holder[last] = json.loads(chance.choice(STRANGE))
    return json.dumps(changed).encode()


@needs_recordings
def test_nothing_strange_is_a_defect() -> None:
    chance = random.Random(11)
    dialect: Any = DIALECTS["messages"]
    adapter, spec = AnthropicAdapter(), REGISTRY["anthropic"]
    bodies = [row["request_json"] for row in messages()]
    bodies = [body for body in bodies if len(json.dumps(body)) < SHORT_CHARS]
    refused: list[int] = []
    for _ in range(MUTATIONS):
        try:
            call = dialect.parse(mutated(chance.choice(bodies), chance), surface=SURFACES["/v1/messages"], headers={})
            adapter.other_models(call)
            adapter.estimate(call, [])
            adapter.bound(call, spec=spec, model="m", context_tokens=9)
            losses = Losses(drop=True, target="it")
            msgspec.json.encode(messages_body(dialect.to_chat(call, losses), model="claude-opus-5", losses=losses))
            TokenCount(dialect, call).build_request(
                call,
                surface=SURFACES["/v1/messages"],
                deployment=None,
                spec=spec,
                model="m",  # type: ignore[arg-type]
            )
        except TollwayError as error:
            refused.append(error.status)
    assert set(refused) == {400}
    assert 100 < len(refused) < MUTATIONS
