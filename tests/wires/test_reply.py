"""Whole answers are judged by what they hold and pass unchanged (FAULTS rows 30-37, 55)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from everup.shapes.events import Reply, Usage
from everup.shapes.fault import FaultKind
from tests.wires.support import JSON, WIRE, ask, candidate

K = FaultKind
ASKED = ask()


def read(body: bytes, content_type: str = JSON) -> Reply:
    """Return how a body is judged."""
    return WIRE.read_reply(content_type, body, ASKED, candidate())


def chat(message: object, finish: object = "stop", **fields: Any) -> bytes:
    """Return a completion with one message."""
    return json.dumps(
        {"id": "c", "model": "m-1", "choices": [{"message": message, "finish_reason": finish}], **fields}
    ).encode()


GOOD = chat({"role": "assistant", "content": "Hello"}, usage={"prompt_tokens": 9, "completion_tokens": 5})


def test_a_good_answer_passes() -> None:
    """A good answer keeps its bytes and tells usage and model."""
    assert Reply(raw=GOOD, usage=Usage(input_tokens=9, output_tokens=5), model="m-1") == read(GOOD)


@pytest.mark.parametrize(
    "body",
    [
        chat({"content": "x"}, None),
        chat({"content": "x"}, "tired", novelty=[1]),
        chat({"content": None}, "length"),
        chat({"content": ""}, "content_filter"),
        chat({"content": None, "tool_calls": [{"id": "a"}]}, "tool_calls"),
        chat({"content": None, "tool_calls": [{"id": "a"}]}, "stop"),
        chat({"content": None, "function_call": {"name": "f"}}, "function_call"),
        chat({"refusal": "No."}),
        chat({"content": None, "reasoning_content": "Hm"}),
        chat({"content": [{"type": "text", "text": "x"}]}),
        chat({"content": None, "audio": {"data": "x"}}),
        chat({"content": None, "images": [{"type": "image_url"}]}),
        chat({"content": "x"}, usage=[1]),
        chat({"content": "x"}, usage={"prompt_tokens": "many", "prompt_tokens_details": 7}),
        chat({"content": "x"}, model=7),
        chat({"content": "x"}, error=None),
        b'{"choices": [{"text": "x"}]}',
        b"\xef\xbb\xbf" + GOOD,
        b"\n " + GOOD,
    ],
)
@pytest.mark.parametrize("content_type", [JSON, "text/plain", ""])
def test_answers(body: bytes, content_type: str) -> None:
    """Everything a person or a program can use is an answer, whatever else is odd (rows 33, 35, 37)."""
    reply = read(body, content_type)
    assert (None, body.removeprefix(b"\xef\xbb\xbf")) == (reply.fault, reply.raw)
    assert reply.usage


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", K.EMPTY_BODY),
        (b" \r\n", K.EMPTY_BODY),
        (b"<!doctype html>", K.HTML_PAGE),
        (b"\n<html>", K.HTML_PAGE),
        (GOOD[:-3], K.MALFORMED),
        (GOOD + b"x", K.MALFORMED),
        (GOOD.replace(b"Hello", b"\xff"), K.MALFORMED),
        (GOOD.replace(b'"c"', b'"\xff"'), K.MALFORMED),
        (GOOD.replace(b"Hello", b"\x00"), K.MALFORMED),
        (b"[" * 100_000, K.MALFORMED),
        (b"[]", K.MALFORMED),
        (b"null", K.MALFORMED),
        (b"{}", K.MALFORMED),
        (b'{"choices": 7}', K.MALFORMED),
        (b'{"choices": [7]}', K.MALFORMED),
        (b"data: {}\n\n", K.MALFORMED),
        (b'{"choices": []}', K.EMPTY_ANSWER),
        (chat({"content": None}), K.EMPTY_ANSWER),
        (chat({"content": ""}, None), K.EMPTY_ANSWER),
        (chat(None), K.EMPTY_ANSWER),
        (b'{"error": {"message": "x", "type": "rate_limit_error"}}', K.RATE_LIMIT),
        (b'{"error": {"message": "x", "code": 502}, "choices": []}', K.BAD_GATEWAY),
        (b'{"error": "model is on holiday"}', K.SERVER_ERROR),
        (b'{"error": 7}', K.SERVER_ERROR),
        (b'{"code": 429, "message": "slow"}', K.RATE_LIMIT),
        (b'[{"error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}}]', K.UNAVAILABLE),
        (b'{"object": "error", "message": "x", "type": "BadRequestError", "code": 400}', K.BAD_REQUEST),
    ],
)
def test_no_answers(body: bytes, kind: FaultKind) -> None:
    """What is no answer is a fault, and none of its bytes are kept for the client."""
    reply = read(body)
    assert reply.fault
    assert (kind, b"") == (reply.fault.kind, reply.raw)
    assert reply.fault.message


def test_a_page_is_a_page_whatever_it_holds() -> None:
    """The type text/html is believed: a login page is never an answer (row 32)."""
    fault = read(GOOD, "text/html; charset=utf-8").fault
    assert fault
    assert K.HTML_PAGE is fault.kind


def test_minted_signatures_are_told() -> None:
    """A whole answer tells the signatures of its reasoning parts."""
    body = chat({"content": "x", "reasoning_details": [{"type": "reasoning.encrypted", "data": "enc"}]})
    assert ("enc",) == read(body).minted


@pytest.mark.parametrize("told", [-5, 10**12, None, "many", True])
def test_an_absurd_count_is_estimated_from_the_text(told: object) -> None:
    """A count of the answer that nobody can believe is estimated from its characters and marked so (row 55)."""
    body = chat({"content": "x" * 400}, usage={"prompt_tokens": 9, "completion_tokens": told})
    assert Usage(input_tokens=9, output_tokens=100, is_estimated=True) == read(body).usage
