"""Rows that only Ollama's wire has: errors that are a text, lines that stop, models that are not there or not ready."""

from __future__ import annotations

import json

from msgspec import structs

from everup.testing import ollama as o
from everup.testing import scripts as s
from tests.faults.dialects import whole
from tests.faults.shape import SAYS, Expect, Row, broken, failed, moved, served

FIRST = o.reply("first")
SHOWN = (*o.lines("shown "), s.Pause(0.15))
CALL = o.tool_call("f", {"a": 1})
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
CRASHED = f"an error was encountered while running the model: unexpected EOF {SAYS}"


def refusal(id_: str, about: str, first: s.Script, *trail: str, status: int = 503, **fields: object) -> Row:
    """Return a refusal that the next provider answers, and that is this status when there is none."""
    row = Row(id=id_, about=about, first=first, pair=moved(*trail), alone=failed(status, *trail))
    return structs.replace(row, **fields)


def streamed(id_: str, about: str, *lines: bytes | s.Step, pair: Expect, alone: Expect, is_ended: bool = True) -> Row:
    """Return a row that only a stream has: a whole answer is good."""
    told = o.stream(*lines, is_ended=is_ended, whole=FIRST.whole)
    row = Row(id=id_, about=about, first=told, pair=served(), alone=served())
    return structs.replace(row, streamed_pair=pair, streamed_alone=alone)


def cut(id_: str, about: str, *lines: bytes | s.Step, says: str | None) -> tuple[Row, ...]:
    """Return rows whose stream stops here, by FIN, by RST and in good order; `says` None if nothing was shown."""
    pair, alone = (moved("cut"), failed(503, "cut", "cut")) if says is None else (broken(says), broken(says))
    return tuple(
        streamed(f"O.cut.{id_}{letter}", f"{how} {about}", *lines, *last, pair=pair, alone=alone, is_ended=not last)
        for letter, how, last in (
            ("", "FIN", (s.Pause(0.1), s.Close())),
            ("b", "RST", (s.Pause(0.1), s.Reset())),
            ("c", "a clean end", ()),
        )
    )


PULL = structs.replace(failed(503, "model_not_found 404"), holds=b"ollama pull m")

REFUSED: tuple[Row, ...] = (
    refusal(
        "O.pull",
        "a model that was not pulled, in today's words",
        o.error(404, f"model 'm' not found {SAYS}"),
        "model_not_found 404",
        alone=PULL,
    ),
    refusal(
        "O.pull.old",
        "a model that was not pulled, in older words",
        o.error(404, 'model "m" not found, try pulling it first'),
        "model_not_found 404",
        alone=PULL,
        provider={"local": True},
    ),
    refusal(
        "O.long",
        "a prompt that would have been truncated",
        o.error(400, "the input length exceeds the context length"),
        "context_overflow 400",
        status=400,
    ),
    refusal(
        "O.long.inner",
        "the same in llama.cpp's words, as JSON inside the text",
        o.error(
            400,
            json.dumps(
                {
                    "error": {
                        "code": 400,
                        "message": "request (4476 tokens) exceeds the available context size (4096 tokens)",
                        "type": "exceed_context_size_error",
                    }
                }
            ),
        ),
        "context_overflow 400",
        status=400,
    ),
    refusal(
        "O.busy",
        "a full queue",
        o.error(503, "server busy, please try again.  maximum pending requests exceeded"),
        "overloaded 503",
    ),
    refusal(
        "O.tools",
        "a model that takes no tools",
        o.error(400, "registry.ollama.ai/library/m:latest does not support tools"),
        "unsupported 400",
        status=400,
        fields={"tools": TOOLS},
    ),
    refusal(
        "O.thinking",
        "a model that does not think",
        o.error(400, '"m" does not support thinking'),
        "unsupported 400",
        status=400,
    ),
    refusal(
        "O.memory",
        "a model too large for the machine",
        o.error(500, "model requires more system memory (9.1 GiB) than is available (7.8 GiB)"),
        "out_of_memory 500",
    ),
    refusal(
        "O.runner",
        "a runner that died",
        o.error(500, f"llama runner process has terminated: exit status 2 {SAYS}"),
        *("server_error 500", "server_error 500"),
    ),
    refusal(
        "O.cloud",
        "a model of the cloud without an account",
        s.body(401, json.dumps({"error": "unauthorized", "signin_url": "https://example.com/connect?key=x"}).encode()),
        "auth 401",
    ),
)

ERRORS: tuple[Row, ...] = (
    Row(
        id="O.error",
        about="an error as the first line",
        first=o.stream(o.error_line(CRASHED), whole=whole(o.error_json(CRASHED))),
        pair=moved("server_error", "server_error"),
        alone=failed(503, "server_error", "server_error"),
    ),
    Row(
        id="O.error.memory",
        about="an error as the first line that time mends",
        first=o.stream(
            o.error_line(f"CUDA error: out of memory {SAYS}"),
            whole=whole(o.error_json(f"CUDA error: out of memory {SAYS}")),
        ),
        pair=moved("out_of_memory"),
        alone=failed(503, "out_of_memory"),
    ),
    streamed(
        "O.error.begun",
        "an error after a line without content",
        *(o.line(""), o.error_line(CRASHED)),
        pair=moved("server_error", "server_error"),
        alone=failed(503, "server_error", "server_error"),
    ),
    streamed(
        "O.error.shown",
        "an error after content",
        *(*SHOWN, o.error_line(CRASHED)),
        pair=broken("shown "),
        alone=broken("shown "),
    ),
    streamed(
        "O.error.thought",
        "an error after thinking",
        *(o.line("", thinking="hm"), s.Pause(0.1), o.error_line(CRASHED)),
        pair=broken(""),
        alone=broken(""),
    ),
    structs.replace(
        streamed(
            "O.error.called",
            "an error after a tool call",
            *(o.line("", calls=[CALL]), s.Pause(0.1), o.error_line(CRASHED)),
            pair=broken(""),
            alone=broken(""),
        ),
        fields={"tools": TOOLS},
    ),
)

CUTS: tuple[Row, ...] = (
    *cut("empty", "after a line without content", o.line(""), says=None),
    *cut("text", "after content: done missing", *SHOWN, says="shown "),
    *cut("thought", "after thinking", o.line("", thinking="hm"), s.Pause(0.1), says=""),
    *(
        structs.replace(row, fields={"tools": TOOLS})
        for row in cut("tool", "after a tool call", o.line("", calls=[CALL]), s.Pause(0.1), says="")
    ),
    *cut("line", "inside the last line", *SHOWN, o.LAST[:-20], says="shown "),
    streamed(
        "O.newline",
        "a last line without its end",
        *(*o.lines("first"), o.LAST.rstrip()),
        pair=served(),
        alone=served(),
    ),
)

ODD: tuple[Row, ...] = (
    Row(
        id="O.load",
        about="done_reason load: a model was loaded and nothing said",
        first=o.stream(o.last_line(reason="load"), whole=whole(o.chat_json("", reason="load"))),
        pair=moved("empty_answer", "empty_answer"),
        alone=failed(503, "empty_answer", "empty_answer"),
    ),
    Row(
        id="O.reasonless",
        about="done without a reason, as older servers say it",
        first=o.stream(*o.lines("first"), o.last_line(reason=None), whole=whole(o.chat_json("first", reason=None))),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="O.length",
        about="done_reason length",
        first=o.stream(
            *(*o.lines("first"), o.last_line(reason="length")), whole=whole(o.chat_json("first", reason="length"))
        ),
        pair=served(holds=b'"length"'),
        alone=served(holds=b'"length"'),
    ),
    Row(
        id="O.undone",
        about="a whole answer that says it is not done",
        first=s.body(200, o.chat_json("half", reason=None, done=False)),
        pair=moved("cut"),
        alone=failed(503, "cut", "cut"),
        billed=True,
    ),
    streamed(
        "O.last",
        "the last words in the last line",
        *(*o.lines("fi"), o.last_line(message=o.message("rst"))),
        pair=served(),
        alone=served(),
    ),
    streamed(
        "O.late",
        "lines after the last",
        *(*o.chat_lines("first"), *o.lines("more"), o.LAST),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="O.unasked",
        about="a stream although none was asked for",
        first=s.play(*FIRST.streamed),
        pair=moved("malformed"),
        alone=failed(503, "malformed", "malformed"),
        streamed_pair=served(),
        streamed_alone=served(),
        billed=True,
    ),
)

ROWS = (*REFUSED, *ERRORS, *CUTS, *ODD)
