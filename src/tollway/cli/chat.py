"""`tollway chat`."""

import contextlib
import sys
from typing import Annotated, Any

import typer

from tollway.cli.client import ApiClient
from tollway.cli.conversation import Conversation, Turn
from tollway.cli.desk import given, open_api
from tollway.cli.endpoint import ApiKey, DataDir, Url
from tollway.cli.failure import CommandError, show, usage_error
from tollway.cli.output import AsJson, print_json, printable, remark

with contextlib.suppress(ImportError):  # a Python built without it still chats, without line editing
    import readline  # noqa: F401  # importing it gives `input` its line editing

_INPUT_MAX_CHARS = 1_000_000
_HELP = "/model NAME changes the model, /reset forgets the conversation, /exit leaves; Ctrl-C stops an answer."


def chat(
    *,
    message: Annotated[
        str | None, typer.Argument(metavar="[MESSAGE]", help="Ask this, print the answer, and leave.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="provider/model or an alias; default: the first one listed.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", "-s", help="A system message.")] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", min=0, max=2, help="How freely it answers.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", min=1, help="Longest answer.")] = None,
    url: Url = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Talk to a model through the gateway, and see what each turn costs.

    With a message, or with text on stdin, it answers that and leaves.
    """
    options = given(temperature=temperature, max_tokens=max_tokens)
    with open_api(url, api_key, data_dir, key="project_key") as api:
        conversation = Conversation(api, model or _first_model(api), system=system, options=options)
        if message is None and sys.stdin.isatty() and not as_json:
            _talk(conversation)
        else:
            _answer(conversation, message or _piped(), as_json=as_json)


def _first_model(api: ApiClient) -> str:
    models: list[dict[str, Any]] = api.get("/v1/models")["data"]
    if not models:
        raise CommandError(
            "No model is listed.",
            code="no_model",
            next_step="Name one with --model, or add a provider with its models.",
        )
    return str(models[0]["id"])


def _piped() -> str:
    text = sys.stdin.read(_INPUT_MAX_CHARS + 1).strip()
    if not text or len(text) > _INPUT_MAX_CHARS:
        raise usage_error(f"stdin holds no message of 1 to {_INPUT_MAX_CHARS} characters.")
    return text


def _answer(conversation: Conversation, message: str, *, as_json: bool) -> None:
    turn = Turn()
    for piece in conversation.ask(message, turn):
        if not as_json:
            _write(piece)
    if as_json:
        facts = {"model": conversation.model, "answer": turn.text, "finish_reason": turn.finish_reason}
        print_json({**facts, "usage": turn.usage, "cost_usd": turn.cost_usd, "request_id": turn.request_id})
    else:
        sys.stdout.write("\n")
        sys.stdout.flush()
        remark(summary(conversation.model, turn))


def _talk(conversation: Conversation) -> None:
    remark(f"Talking to {conversation.model}. {_HELP}")
    while True:
        try:
            line = input("\nyou> ").strip()
        except EOFError:
            remark("")
            return
        except KeyboardInterrupt:
            remark("\n/exit or Ctrl-D leaves.")
            continue
        word, _, rest = line.partition(" ")
        match word:
            case "":
                continue
            case "/exit" | "/quit":
                return
            case "/reset":
                conversation.reset()
                remark("Forgotten.")
            case "/model":
                conversation.model = rest.strip() or conversation.model
                remark(f"Talking to {conversation.model}.")
            case _ if line.startswith("/"):
                remark(_HELP)
            case _:
                _take_turn(conversation, line)


def _take_turn(conversation: Conversation, message: str) -> None:
    turn = Turn()
    pieces = conversation.ask(message, turn)
    try:
        for piece in pieces:
            _write(piece)
    except KeyboardInterrupt:
        pieces.close()  # hangs up, so that the provider stops too
        remark("\n(stopped)")
    except CommandError as error:
        show(error)
        return
    sys.stdout.write("\n")
    remark(summary(conversation.model, turn))


def _write(piece: str) -> None:
    sys.stdout.write(printable(piece) if sys.stdout.isatty() else piece)
    sys.stdout.flush()


def summary(model: str, turn: Turn) -> str:
    """What a turn took: tokens, cost, time."""
    parts = [model]
    if turn.usage:
        parts.append(f"{turn.usage.get('prompt_tokens', 0)} + {turn.usage.get('completion_tokens', 0)} tokens")
    parts.append("cost not told" if turn.cost_usd is None else f"${turn.cost_usd}")
    parts.append(f"{turn.duration_s:.1f} s")
    return f"[{' · '.join(parts)}]"
