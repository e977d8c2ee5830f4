"""`tollway chat`, piped and in a terminal."""

import os
import pty
import signal
import sys
from collections.abc import Callable, Iterator

import pytest

from support.command import Command
from support.gateway import Gateway
from support.replies import WORDS
from support.standin import StandIn
from support.waiting import wait_until

ANSWER = "".join(WORDS)


def test_piped_text_is_answered_on_stdout_and_the_cost_on_stderr(tollway: Command) -> None:
    done = tollway.ok("chat", "--model", "stub/plain", stdin="Say something.\n")
    assert done.out == f"{ANSWER}\n"
    assert "tokens · $" in done.err


def test_for_programs_answer_usage_and_cost_are_json(tollway: Command) -> None:
    told = tollway.ok("chat", "--model", "stub/plain", "--json", "--system", "Be brief.", "Say something.").json
    assert told["answer"] == ANSWER
    assert told["usage"]["total_tokens"] > 0
    assert float(told["cost_usd"]) > 0
    assert told["finish_reason"] == "stop"
    explained = tollway.ok("ledger", "explain", told["request_id"], "--wait-s", "60", "--json").json["data"][0]
    assert explained["charge_usd"] == told["cost_usd"]


def test_without_a_model_the_first_that_is_listed_answers(tollway: Command, gateway: Gateway, standin: StandIn) -> None:
    own = gateway.tenant()  # the models of other tests do not all answer
    own.add_stub(standin)

    def listed() -> list[dict[str, str]]:
        found: list[dict[str, str]] = own.client.get("/v1/models", headers=own.headers()).json().get("data")
        return found

    first = wait_until(listed, what="the worker to know the models")[0]["id"]
    endpoint = {"TOLLWAY_URL": own.url, "TOLLWAY_API_KEY": own.project_key}
    assert tollway.ok("chat", "--json", "hello", **endpoint).json["model"] == first


def test_a_model_that_does_not_exist_fails_with_nothing_on_stdout(tollway: Command) -> None:
    done = tollway("chat", "--model", "nowhere/x", "hello")
    assert (done.code, done.out) == (1, "")
    assert "Error [model_not_found]" in done.err


def test_no_text_at_all_is_wrong_usage(tollway: Command) -> None:
    assert tollway("chat", "--model", "stub/plain", stdin=" \n").code == 2


class Terminal:
    """A chat in a terminal: type to it, and read what it shows."""

    def __init__(self, command: Command, *words: str) -> None:
        self.shown = ""
        self.process_id, self._fd = pty.fork()
        if self.process_id == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # who runs in the background of a shell ignores it
            words = ("-m", "tollway", "chat", *words)
            os.execve(sys.executable, [sys.executable, *words], command.environment)  # noqa: S606 -- as a user would
        os.set_blocking(self._fd, False)

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def reads(self, text: str) -> None:
        """Wait until the text was shown, and forget what was shown up to there."""
        try:
            wait_until(lambda: text in self._all(), what=f"{text!r} on the terminal")
        except AssertionError as error:
            error.add_note(f"it shows {self.shown!r}")
            raise
        self.shown = self.shown.partition(text)[2]

    def _all(self) -> str:
        try:
            self.shown += os.read(self._fd, 65_536).decode(errors="replace")
        except (BlockingIOError, OSError):
            return self.shown
        return self.shown

    def ended(self) -> int:
        """Wait for its end; the exit code."""

        def status() -> tuple[int, int] | None:
            self._all()
            found = os.waitpid(self.process_id, os.WNOHANG)
            return found if found[0] else None

        found = wait_until(status, what="the end of the chat")
        return os.waitstatus_to_exitcode(found[1])  # type: ignore[index]


@pytest.fixture
def terminal(tollway: Command) -> Iterator[Callable[..., Terminal]]:
    started: list[Terminal] = []

    def start(*words: str) -> Terminal:
        started.append(Terminal(tollway, *words))
        return started[-1]

    yield start
    for one in started:
        try:
            os.kill(one.process_id, signal.SIGKILL)
            os.waitpid(one.process_id, 0)
        except (ProcessLookupError, ChildProcessError):
            continue


def test_a_conversation_goes_on_over_turns_models_and_mistakes(terminal: Callable[..., Terminal]) -> None:
    chat = terminal("--model", "stub/plain")
    chat.reads("you> ")
    chat.type("Say something.\r")
    chat.reads(ANSWER)
    chat.reads("tokens · $")
    chat.type("/model nowhere/x\r")
    chat.reads("Talking to nowhere/x")
    chat.type("hello\r")
    chat.reads("Error [model_not_found]")
    chat.type("/model stub/gpt\r")
    chat.reads("Talking to stub/gpt")
    chat.type("/reset\r")
    chat.reads("Forgotten.")
    chat.type("/what\r")
    chat.reads("/exit leaves")
    chat.type("/exit\r")
    assert chat.ended() == 0


def test_ctrl_c_stops_the_answer_and_not_the_conversation(terminal: Callable[..., Terminal], standin: StandIn) -> None:
    standin.hold()
    chat = terminal("--model", "stub/held")
    chat.reads("you> ")
    chat.type("Say something.\r")
    chat.reads("The")
    chat.type("\x03")
    chat.reads("(stopped)")
    standin.release()
    chat.reads("you> ")
    chat.type("/exit\r")
    assert chat.ended() == 0
