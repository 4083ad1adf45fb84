"""Rows in which the provider is in trouble or its answer is: FAULTS section 5, 23 to 27, 30 to 37 and 54 to 56."""

from __future__ import annotations

import json

from everup.testing import scripts as s
from tests.faults.dialects import Complaint, Telling, once, refused, whole
from tests.faults.rows_refused import HTML
from tests.faults.shape import SAYS, Row, failed, moved, served


def counted(usage: object) -> Telling:
    """Return a good answer that counts so."""
    return lambda d: d.counted(usage)


TROUBLE: tuple[Row, ...] = (
    Row(
        id="5.23",
        about="500 twice",
        first=refused(500, "server_error", None, SAYS),
        pair=moved("server_error 500", "server_error 500"),
        alone=failed(503, "server_error 500", "server_error 500"),
    ),
    Row(
        id="5.23b",
        about="500 once",
        first=once(refused(500, "server_error", None, SAYS)),
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
        first=refused(503, "service_unavailable", None, SAYS, retry_after="30"),
        pair=moved("unavailable 503"),
        alone=failed(503, "unavailable 503"),
    ),
    Row(
        id="5.25b",
        about="a local model that is still loading",
        first=once(refused(503, "unavailable_error", 503, "Loading model")),
        pair=served("loading 503"),
        alone=served("loading 503"),
        provider={"local": True},
    ),
    Row(
        id="5.26",
        about="529",
        first=refused(529, "overloaded_error", None, f"Overloaded {SAYS}"),
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
        first=lambda d: d.stream(whole=whole(b"  \r\n ")),
        pair=moved("empty_body"),
        alone=failed(503, "empty_body", "empty_body"),
        billed=True,
    ),
    Row(
        id="5.31",
        about="200 with a rate limit in it",
        first=lambda d: s.body(200, d.error_json(Complaint("rate_limit_error", None, SAYS))),
        pair=moved("rate_limit"),
        alone=failed(429, "rate_limit"),
    ),
    Row(
        id="5.31b",
        about="200 with a billing error in it",
        first=lambda d: s.body(200, d.error_json(Complaint("insufficient_quota", "insufficient_quota", SAYS))),
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
        first=lambda d: s.body(200, d.whole("first"), "text/plain"),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="5.33b",
        about="a whole answer when a stream was asked for, and a stream under the wrong type",
        first=lambda d: s.body(200, d.whole("first")),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="5.33c",
        about="a stream under the wrong content type",
        first=lambda d: s.Script(
            d.first.whole,
            whole(b"".join((*d.start, *d.texts("first"), *d.finish(), *d.end)), "application/octet-stream"),
        ),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="5.34",
        about="malformed JSON",
        first=lambda d: s.body(200, d.whole("half")[:-40]),
        pair=moved("malformed"),
        alone=failed(503, "malformed", "malformed"),
        billed=True,
    ),
    Row(
        id="5.35",
        about="no choices, twice",
        first=lambda d: d.empty,
        pair=moved("empty_answer", "empty_answer"),
        alone=failed(503, "empty_answer", "empty_answer"),
    ),
    Row(
        id="5.35b",
        about="null content without a finish reason, once",
        first=once(lambda d: d.unended),
        pair=served("empty_answer"),
        alone=served("empty_answer"),
    ),
    Row(
        id="5.35c",
        about="no text because the length was used up",
        first=lambda d: d.stream(*d.start, *d.finish("length"), *d.end, whole=whole(d.whole("", stop="length"))),
        pair=served(says="", holds=b'"length"'),
        alone=served(says="", holds=b'"length"'),
    ),
    Row(
        id="5.36",
        about="an answer that a filter withheld",
        first=lambda d: d.stream(*d.start, *d.finish("filter"), *d.end, whole=whole(d.whole("", stop="filter"))),
        pair=served(says="", holds=b"content_filter"),
        alone=served(says="", holds=b"content_filter"),
    ),
    Row(
        id="5.37",
        about="things nobody has heard of",
        first=lambda d: d.novel,
        pair=served(holds=b'"novelty"'),
        alone=served(holds=b'"tired"'),
    ),
    Row(
        id="5.54",
        about="another model than was asked for",
        first=lambda d: s.Script(whole(d.other_model), d.first.streamed),
        pair=served(),
        alone=served(),
    ),
    *(
        Row(
            id=f"5.55{letter}",
            about=f"usage {usage}",
            first=counted(usage),
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
        first=lambda d: s.body(200, d.whole("first"), date="Fri, 01 Jan 2100 00:00:00 GMT", age="99999999"),
        pair=served(),
        alone=served(),
    ),
)

ROWS = (*TROUBLE, *UNUSABLE)
