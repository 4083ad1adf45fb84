"""Rows in which the provider is in trouble or its answer is: FAULTS section 5, 23 to 27, 30 to 37 and 54 to 56."""

from __future__ import annotations

import json

from everup.testing import scripts as s
from tests.faults.rows_refused import HTML
from tests.faults.shape import SAYS, Row, failed, moved, served

FIRST = s.reply("first")


def whole(data: bytes, content_type: str = "application/json") -> tuple[s.Step, ...]:
    """Return the steps of a whole 200."""
    return (s.Send(s.sized(200, data, content_type)),)


TROUBLE: tuple[Row, ...] = (
    Row(
        id="5.23",
        about="500 twice",
        first=s.error(500, "server_error", None, SAYS),
        pair=moved("server_error 500", "server_error 500"),
        alone=failed(503, "server_error 500", "server_error 500"),
    ),
    Row(
        id="5.23b",
        about="500 once",
        first=(s.error(500, "server_error", None, SAYS), FIRST),
        pair=served("server_error 500"),
        alone=served("server_error 500"),
    ),
    Row(
        id="5.24",
        about="502",
        first=s.body(502, HTML, "text/html"),
        pair=moved("bad_gateway 502"),
        alone=failed(503, "bad_gateway 502"),
    ),
    Row(
        id="5.24b",
        about="504",
        first=s.body(504, b"upstream request timeout", "text/plain"),
        pair=moved("gateway_timeout 504"),
        alone=failed(503, "gateway_timeout 504", "gateway_timeout 504"),
        billed=True,
    ),
    Row(
        id="5.25",
        about="503 with a Retry-After",
        first=s.error(503, "service_unavailable", None, SAYS, retry_after="30"),
        pair=moved("unavailable 503"),
        alone=failed(503, "unavailable 503"),
    ),
    Row(
        id="5.25b",
        about="a local model that is still loading",
        first=(s.error(503, "unavailable_error", 503, "Loading model"), FIRST),
        pair=served("loading 503"),
        alone=served("loading 503"),
        provider={"local": True},
    ),
    Row(
        id="5.26",
        about="529",
        first=s.error(529, "overloaded_error", None, f"Overloaded {SAYS}"),
        pair=moved("overloaded 529"),
        alone=failed(503, "overloaded 529"),
    ),
    *(
        Row(
            id=f"5.27.{status}",
            about=f"{status} of a content network",
            first=s.body(status, HTML, "text/html"),
            pair=moved(str(status)),
            alone=failed(503, str(status)) if status != 524 else failed(503, "524", "524"),
            billed=status == 524,
        )
        for status in (520, 521, 522, 523, 524, 525, 526, 527, 530)
    ),
)

UNUSABLE: tuple[Row, ...] = (
    Row(
        id="5.30",
        about="200 with nothing in it",
        first=s.body(200, b""),
        pair=moved("empty_body"),
        alone=failed(503, "empty_body", "empty_body"),
        billed=True,
    ),
    Row(
        id="5.30b",
        about="204",
        first=s.raw(s.head(204)),
        pair=moved("empty_body"),
        alone=failed(503, "empty_body", "empty_body"),
        billed=True,
    ),
    Row(
        id="5.30c",
        about="an event stream with nothing in it",
        first=s.stream(whole=whole(b"  \r\n ")),
        pair=moved("empty_body"),
        alone=failed(503, "empty_body", "empty_body"),
        billed=True,
    ),
    Row(
        id="5.31",
        about="200 with a rate limit in it",
        first=s.body(200, s.error_json("rate_limit_error", None, SAYS)),
        pair=moved("rate_limit"),
        alone=failed(429, "rate_limit"),
    ),
    Row(
        id="5.31b",
        about="200 with a billing error in it",
        first=s.body(200, s.error_json("insufficient_quota", "insufficient_quota", SAYS)),
        pair=moved("billing"),
        alone=failed(503, "billing"),
    ),
    Row(
        id="5.31c",
        about="200 with a bare code in it",
        first=s.body(200, json.dumps({"code": 502, "message": SAYS}).encode()),
        pair=moved("bad_gateway"),
        alone=failed(503, "bad_gateway"),
    ),
    Row(
        id="5.32",
        about="200 with a web page",
        first=s.body(200, HTML, "text/html"),
        pair=moved("html_page"),
        alone=failed(503, "html_page"),
    ),
    Row(
        id="5.33",
        about="JSON under the wrong content type",
        first=s.body(200, s.chat_json("first"), "text/plain"),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="5.33b",
        about="a whole answer when a stream was asked for, and a stream under the wrong type",
        first=(s.body(200, s.chat_json("first")),),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="5.33c",
        about="a stream under the wrong content type",
        first=s.Script(FIRST.whole, (s.Send(s.sized(200, b"".join(s.chat_sse("first")), "application/octet-stream")),)),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="5.34",
        about="malformed JSON",
        first=s.body(200, b'{"id": "x", "choices": [{"message": {"content": "hal'),
        pair=moved("malformed"),
        alone=failed(503, "malformed", "malformed"),
        billed=True,
    ),
    Row(
        id="5.35",
        about="no choices, twice",
        first=s.Script(whole(s.chat_json("", choices=[])), s.sse(s.event(choices=[]), s.DONE)),
        pair=moved("empty_answer", "empty_answer"),
        alone=failed(503, "empty_answer", "empty_answer"),
    ),
    Row(
        id="5.35b",
        about="null content without a finish reason, once",
        first=(s.Script(whole(s.chat_json(None, finish=None)), s.sse(s.ROLE, s.DONE)), FIRST),
        pair=served("empty_answer"),
        alone=served("empty_answer"),
    ),
    Row(
        id="5.35c",
        about="no text because the length was used up",
        first=s.Script(whole(s.chat_json("", finish="length")), s.sse(s.ROLE, s.event(finish="length"), s.DONE)),
        pair=served(says="", holds=b'"length"'),
        alone=served(says="", holds=b'"length"'),
    ),
    Row(
        id="5.36",
        about="an answer that a filter withheld",
        first=s.Script(
            whole(s.chat_json(None, finish="content_filter")), s.sse(s.ROLE, s.event(finish="content_filter"), s.DONE)
        ),
        pair=served(says="", holds=b"content_filter"),
        alone=served(says="", holds=b"content_filter"),
    ),
    Row(
        id="5.37",
        about="things nobody has heard of",
        first=s.Script(
            whole(s.chat_json("first", finish="tired", novelty={"a": [1]})),
            s.sse(s.ROLE, *s.texts("first"), s.event({"novelty": [1]}), s.event(finish="tired"), s.DONE),
        ),
        pair=served(holds=b'"novelty"'),
        alone=served(holds=b'"tired"'),
    ),
    Row(
        id="5.54",
        about="another model than was asked for",
        first=s.Script(whole(s.chat_json("first", model="cheaper-model")), FIRST.streamed),
        pair=served(),
        alone=served(),
    ),
    *(
        Row(
            id=f"5.55{letter}",
            about=f"usage {usage}",
            first=s.Script(
                whole(s.chat_json("first", usage=usage)),
                s.sse(s.ROLE, *s.texts("first"), s.FINISH, s.event(choices=[], usage=usage), s.DONE),
            ),
            pair=served(),
            alone=served(),
        )
        for letter, usage in (
            ("a", None),
            ("b", {"prompt_tokens": -5, "completion_tokens": 10**12, "total_tokens": "many"}),
            ("c", [1]),
        )
    ),
    Row(
        id="5.56",
        about="a Date of another century",
        first=s.body(200, s.chat_json("first"), date="Fri, 01 Jan 2100 00:00:00 GMT", age="99999999"),
        pair=served(),
        alone=served(),
    ),
)

ROWS = (*TROUBLE, *UNUSABLE)
