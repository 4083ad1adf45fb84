"""Rows in which a stream begins well and goes wrong: FAULTS section 5, 38 to 43."""

from __future__ import annotations

from everup.testing import scripts as s
from tests.faults.dialects import Complaint, Dialect, Telling, shown
from tests.faults.shape import SAYS, Row, broken, failed, moved, served

TOOLS = [{"type": "function", "function": {"name": n, "parameters": {"type": "object"}}} for n in ("f", "g")]
LIMITED = Complaint("rate_limit_error", None, SAYS)
OVERLOADED = Complaint("overloaded_error", None, SAYS)


def odd(id_: str, about: str, noise: str) -> Row:
    """Return a row whose stream holds these odd bytes before and after its text, and is served all the same."""

    def tell(d: Dialect) -> s.Script:
        odd, text = d.noise[noise], d.texts("first")
        return d.stream(*odd, *d.start, *text, *odd, *d.finish(), *d.end, whole=d.first.whole)

    return Row(id=id_, about=about, first=tell, pair=served(), alone=served())


def cut(last: s.Step) -> Telling:
    """Return an answer that stops after content, in the middle of a chunked body."""
    json_head = s.head(200, {"content-type": "application/json", "transfer-encoding": "chunked"})

    def tell(d: Dialect) -> s.Script:
        half = (s.Send(json_head), s.Send(s.chunk(d.whole("half")[:20])), s.Pause(0.1), last)
        return d.stream(*shown(d), last, is_ended=False, whole=half)

    return tell


def in_slices(d: Dialect) -> s.Script:
    """Return a good answer with CRLF, one byte at a time."""
    events = b"".join((*d.start, *d.texts("f", "irst"), *d.finish(), *d.end))
    return d.stream(events.replace(b"\n", b"\r\n"), whole=d.first.whole).sliced(1)


def with_returns(d: Dialect) -> s.Script:
    """Return a good answer whose lines end in CR alone, without a space behind a field's colon."""
    events = (*d.start, *d.texts("first"), *d.finish(), *d.end)
    odd = (each.replace(b"data: ", b"data:").replace(b"event: ", b"event:").replace(b"\n", b"\r") for each in events)
    return d.stream(*odd, whole=d.first.whole)


ROWS: tuple[Row, ...] = (
    Row(
        id="5.38",
        about="an error event before content",
        first=lambda d: d.stream(*d.start, d.error_event(LIMITED), whole=d.error(429, LIMITED).whole),
        pair=moved("rate_limit"),
        alone=failed(429, "rate_limit"),
    ),
    Row(
        id="5.38b",
        about="an error event after nothing but a ping",
        first=lambda d: d.stream(d.ping, d.error_event(OVERLOADED), whole=d.error(529, OVERLOADED).whole),
        pair=moved("overloaded"),
        alone=failed(503, "overloaded"),
    ),
    Row(
        id="5.39",
        about="an error event after content; a body cut by its length",
        first=lambda d: d.stream(
            *shown(d),
            d.error_event(Complaint("server_error", None, SAYS)),
            whole=(s.Send(s.sized(200, d.whole("half"))[:-40]), s.Close()),
        ),
        pair=moved("cut"),
        alone=failed(503, "cut", "cut"),
        streamed_pair=broken("shown "),
        streamed_alone=broken("shown "),
    ),
    *(
        Row(
            id=f"5.39{letter}",
            about=f"{about} after content, in the middle of a chunked body",
            first=cut(last),
            pair=moved("cut"),
            alone=failed(503, "cut", "cut"),
            streamed_pair=broken("shown "),
            streamed_alone=broken("shown "),
        )
        for letter, about, last in (("b", "FIN", s.Close()), ("c", "RST", s.Reset()))
    ),
    Row(
        id="5.39d",
        about="a cut before content",
        first=lambda d: d.stream(*d.start, s.Pause(0.1), s.Reset(), is_ended=False),
        pair=moved("cut"),
        alone=failed(503, "cut", "cut"),
        billed=True,
    ),
    Row(
        id="5.40",
        about="no [DONE], but a finish reason",
        first=lambda d: d.stream(*d.start, *d.texts("first"), *d.finish(), whole=d.first.whole),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="5.40b",
        about="a finish reason, then a cut",
        first=lambda d: d.stream(
            *d.start, *d.texts("first"), *d.finish(), s.Close(), is_ended=False, whole=d.first.whole
        ),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="5.41",
        about="a clean end without a finish reason",
        first=lambda d: d.stream(*shown(d), whole=d.first.whole),
        pair=served(),
        alone=served(),
        streamed_pair=broken("shown "),
        streamed_alone=broken("shown "),
    ),
    Row(
        id="5.41b",
        about="a clean end before content and without a finish reason",
        first=lambda d: d.stream(*d.start, whole=d.first.whole),
        pair=served(),
        alone=served(),
        streamed_pair=moved("cut"),
        streamed_alone=failed(503, "cut", "cut"),
        billed=False,
    ),
    odd("5.42", "comments and pings", "pings"),
    odd("5.42b", "a line that is garbage", "garbage"),
    odd("5.42c", "invalid UTF-8 and NUL", "bytes"),
    odd("5.42d", "unknown fields and a byte order mark", "fields"),
    odd("5.42e", "a frame without meaning of one MiB", "long"),
    Row(
        id="5.42f",
        about="CR only, and data without a space",
        first=with_returns,
        pair=served(holds=b"first"),
        alone=served(holds=b"first"),
    ),
    Row(
        id="5.42g",
        about="CRLF in slices of one byte",
        first=in_slices,
        pair=served(),
        alone=served(),
    ),
    Row(
        id="5.42h",
        about="a line over the limit, after content",
        first=lambda d: d.stream(*shown(d), s.Send(s.chunk(d.unclosed), times=12), whole=d.first.whole),
        pair=served(),
        alone=served(),
        streamed_pair=broken("shown "),
        streamed_alone=broken("shown "),
    ),
    Row(
        id="5.43",
        about="interleaved, doubled and invalid tool calls",
        first=lambda d: d.tools,
        pair=served(says="", holds=b'{\\"a\\": tru'),
        alone=served(says="", holds=b"}{"),
        fields={"tools": TOOLS},
    ),
)
