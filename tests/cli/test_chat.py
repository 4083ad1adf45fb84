"""`everup chat` against a gateway that says what the test wants."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from everup.cli import chat
from everup.cli.gateway import Address
from tests.cli.conftest import Everup
from tests.cli.fake_gateway import Fake, Said, as_events, as_json, delta, fake

CHAT = "/v1/chat/completions"
WHO = {"x_everup_model": "openai/gpt-x", "x_everup_trail": "a/b=auth 401 (3ms); openai/gpt-x=ok (9ms)"}
WHOLE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Rhine"}, "finish_reason": "stop"}]}
FAILED = {"error": {"message": "No candidate of route 'default' answered.\na/b: auth 401", "type": "x", "code": "y"}}


def streamed(*texts: str) -> Said:
    """Return a whole streamed answer."""
    return as_events('{"choices": []}', *map(delta, texts), "[DONE]", **WHO)


def test_an_answer_streams(everup: Everup) -> None:
    """The text stands on stdout, and who gave it on stderr."""
    with fake({CHAT: streamed("Rh", "ine")}) as it:
        done = everup("chat", "Name a river.", "--url", it.url, EVERUP_API_KEY="k-1")
    assert (0, "Rhine\n", "[openai/gpt-x]\n") == done
    method, path, headers, sent = it.requests[0]
    assert ("POST", CHAT, "Bearer k-1") == (method, path, headers["authorization"])
    message = {"role": "user", "content": "Name a river."}
    assert {"model": "default", "messages": [message], "stream": True} == sent


def test_options_reach_the_request(everup: Everup) -> None:
    """Model, system message and the wish for one piece are in the request, and the trail is told when asked for."""
    with fake({CHAT: as_json(WHOLE, **WHO)}) as it:
        done = everup("chat", "x", "-m", "fast", "--system", "Be brief.", "--no-stream", "--trail", EVERUP_URL=it.url)
    trail = "[trail: a/b=auth 401 (3ms); openai/gpt-x=ok (9ms)]"
    assert (0, "Rhine\n", f"[openai/gpt-x]\n{trail}\n") == done
    sent = it.requests[0][3]
    assert ("fast", False, "Be brief.") == (sent["model"], sent["stream"], sent["messages"][0]["content"])


def test_a_pipe_is_the_question(everup: Everup) -> None:
    """Without a message the question is what stdin brings, and nothing at all is a usage error."""
    with fake({CHAT: streamed("ok")}) as it:
        assert 0 == everup("chat", "--url", it.url, stdin="Line one\nLine two\n").code
        assert 2 == everup("chat", "--url", it.url, stdin=" \n").code
    assert ["Line one\nLine two\n"] == [sent["messages"][0]["content"] for *_, sent in it.requests]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (as_events(delta("Half"), '{"error": {"message": "openai/gpt-x was cut"}}'), "openai/gpt-x was cut"),
        (as_events(delta("Half"), is_cut=True), "the connection ended early"),
        (as_events(delta("Half")), "the stream ended without its last event"),
        (as_events(delta("Half"), "{not json"), "an event of the stream is not JSON"),
    ],
)
def test_a_cut_is_told(everup: Everup, said: Said, reason: str) -> None:
    """Whatever ends a stream before its end, the text so far is shown, called incomplete, and the code is 1."""
    with fake({CHAT: said}) as it:
        done = everup("chat", "x", "--url", it.url)
    assert (1, "Half\n", f"everup: the answer is incomplete: {reason}\n") == done


def test_an_error_is_its_own_sentence(everup: Everup) -> None:
    """An error answer is shown in the gateway's words, its trail when asked for, and nothing on stdout."""
    with fake({CHAT: as_json(FAILED, 503, x_everup_trail="a/b=auth 401 (3ms)")}) as it:
        done = everup("chat", "x", "--trail", "--url", it.url)
    assert (1, "") == (done.code, done.out)
    told = "everup: No candidate of route 'default' answered.\na/b: auth 401\n"
    assert f"[trail: a/b=auth 401 (3ms)]\n{told}" == done.err


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key(everup: Everup, status: int) -> None:
    """A refused key has its own exit code, and which key was sent is said."""
    with fake({CHAT: as_json({"error": {"message": "This key is not valid here."}}, status)}) as it:
        done = everup("chat", "x", "--url", it.url, EVERUP_API_KEY="k")
    assert (4, "") == (done.code, done.out)
    assert "everup: This key is not valid here.\nThe key sent is the one in EVERUP_API_KEY.\n" == done.err


def test_another_program_answers(everup: Everup) -> None:
    """An answer that no gateway gives is not shown as if it were one."""
    with fake({CHAT: Said(200, b"<html>hello</html>", "text/html")}) as it:
        done = everup("chat", "x", "--url", it.url)
    assert (3, "") == (done.code, done.out)
    assert "another program than everup" in done.err


@pytest.fixture
def lines() -> list[str | BaseException]:
    """Return what the person types, to be filled by the test."""
    return []


@pytest.fixture
def typed(lines: list[str | BaseException]) -> object:
    """Return a function that stands for the person at the prompt, who leaves with Ctrl-D at the end."""
    rest: Iterator[str | BaseException] = iter(lines)

    def read_line(_prompt: str) -> str:
        line = next(rest, EOFError())
        if isinstance(line, BaseException):
            raise line
        return line

    return read_line


def talk(it: Fake) -> chat.Conversation:
    """Return a conversation with a fake gateway."""
    address = Address(shown=it.url, host="127.0.0.1", port=it.port)
    return chat.Conversation(address, model="default", system="S", is_stream=True, has_trail=False)


def test_a_conversation_is_kept(
    lines: list[str | BaseException], typed: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each turn sends the turns before it, empty lines and Ctrl-C at the prompt send nothing, /exit leaves."""
    lines += ["one", "", KeyboardInterrupt(), "two", "/exit", "never"]
    with fake({CHAT: streamed("yes")}) as it:
        chat.converse(talk(it), typed)  # type: ignore[arg-type]
    said = [[(m["role"], m["content"]) for m in sent["messages"]] for *_, sent in it.requests]
    first = [("system", "S"), ("user", "one")]
    assert [first, [*first, ("assistant", "yes"), ("user", "two")]] == said
    assert "yes\nyes\n" == capsys.readouterr().out


def test_a_failed_turn_is_not_kept(
    lines: list[str | BaseException], typed: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """A turn that failed is told, leaves no trace in the next one, and does not end the conversation."""
    lines += ["one", "two"]
    with fake({CHAT: as_json(FAILED, 503)}) as it:
        chat.converse(talk(it), typed)  # type: ignore[arg-type]
    assert ["one", "two"] == [sent["messages"][-1]["content"] for *_, sent in it.requests]
    assert [2, 2] == [len(sent["messages"]) for *_, sent in it.requests]
    assert 2 == capsys.readouterr().err.count("No candidate of route")


def test_a_pipe_gets_every_byte(everup: Everup) -> None:
    """In a pipe the text is passed on byte for byte, escape sequences too: a pipe is no terminal."""
    with fake({CHAT: streamed("\x1b[31mred")}) as it:
        assert "\x1b[31mred\n" == everup("chat", "x", "--url", it.url).out


class Stopped(chat.Conversation):
    """A conversation whose every answer the person stops."""

    def turn(self, text: str) -> None:  # noqa: ARG002  # the real one's signature
        """Raise what Ctrl-C raises."""
        raise KeyboardInterrupt


def test_ctrl_c_ends_one_answer(
    lines: list[str | BaseException], typed: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C during an answer ends that answer, says that it is not kept, and the conversation goes on."""
    lines += ["one", "two"]
    address = Address(shown="x")
    stopped = Stopped(address, model="default", system="", is_stream=True, has_trail=False)
    chat.converse(stopped, typed)  # type: ignore[arg-type]
    assert 2 == capsys.readouterr().err.count("[stopped; this turn is not kept]")
