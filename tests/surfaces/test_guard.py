"""Host, Origin and bodies: what is refused before a request means anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.engine.out import Out
from everup.errors import RequestError
from everup.shapes.arrival import Arrival
from everup.shapes.asked import Asked
from everup.shapes.limits import Limits
from everup.shapes.route import Route
from everup.shapes.snapshot import ServerSettings
from everup.surfaces.arrival import read_deadline_s
from everup.surfaces.guard import Guard
from everup.surfaces.models import read_id
from tests.surfaces.scene import BODY, CHAT, KEY, STREAM_BODY, gateway, make_snapshot

pytestmark = pytest.mark.anyio

ORIGIN = "http://app.example:3000"
GOOD_HOSTS = [
    "localhost",
    "localhost:4400",
    "LOCALHOST:1",
    "localhost.",
    "127.0.0.1",
    "127.0.0.1:9",
    "192.168.1.20:4400",
    "[::1]",
    "[::1]:4400",
    "[fe80::1]:1",
    "[::ffff:127.0.0.1]",
    "box.example",
    "Box.Example:80",
    "gw.lan",
    "gw.lan:8443",
]
STRANGERS = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil-localhost",
    "xlocalhost",
    "gw.lan.evil.example",
    "1.2.3",
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "127.0.0.1..",
    "[:::1]",
    "..",
]
NO_HOSTS = [
    "localhost/",
    "localhost/?",
    "localhost#",
    "localhost?x",
    "user@localhost",
    "localhost:4400:4400",
    "localhost:",
    "localhost:x",
    "localhost:123456",
    "loc alhost",
    "local\thost",
    "localhost\\",
    "localhost,evil",
    "[localhost]",
    "[127.0.0.1]",
    "[::1",
    "::1",
    "[::1]]",
    "[::1%25eth0]",
    "localh\xf6st",
    "http://localhost",
    "%6cocalhost",
    "a" * 300,
]


@pytest.mark.parametrize("host", GOOD_HOSTS)
async def test_s2_a_known_host_is_let_in(host: str) -> None:
    """Addresses, localhost, the machine's names and `server.hosts` are let in, whatever the port."""
    async with gateway(snapshot=make_snapshot(hosts=("gw.lan",))) as house:
        said = await house.ask("GET", "/healthz", headers={"host": host})
    assert 200 == said.status


@pytest.mark.parametrize("host", STRANGERS)
async def test_s2_a_strangers_name_is_421_and_names_the_setting(host: str) -> None:
    """A name that is not ours is refused before the key is looked at, and the answer names `server.hosts`."""
    async with gateway(snapshot=make_snapshot(hosts=("gw.lan",))) as house:
        said = await house.ask("GET", "/v1/models", headers={"host": host})
    assert (421, "unknown_host") == (said.status, said.code())
    assert "server.hosts" in said.body.decode()


@pytest.mark.parametrize("host", NO_HOSTS)
async def test_s2_what_is_no_host_is_400(host: str) -> None:
    """A Host that is no plain name or address is a 400."""
    async with gateway() as house:
        said = await house.ask("GET", "/v1/models", headers={"host": host})
    assert 400 == said.status


@given(st.binary(max_size=60))
def test_s2_any_bytes_are_judged(host: bytes) -> None:
    """No Host whatever makes the guard raise anything but its own refusals."""
    guard = Guard(("box.example",))
    try:
        guard.check_host(host, ServerSettings())
    except RequestError as error:
        assert error.status in {400, 421}  # noqa: PT017  # either a refusal or none
    else:
        assert set(host) <= set(b"0123456789abcdefABCDEFlocalhostLOCALHOSTbox.examplBOX.EXAMPL:[] \t\n\r\x0b\x0c")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://app.example", ORIGIN + "/", ORIGIN.upper(), ""]
)
async def test_s3_a_page_of_another_origin_changes_nothing(origin: str) -> None:
    """A state-changing call with an Origin that is not listed exactly is a 403, even with the right key."""
    async with gateway(snapshot=make_snapshot(origins=(ORIGIN,))) as house:
        if origin:
            said = await house.ask(headers={"origin": origin})
        else:
            said = await house.ask(headers={"sec-fetch-site": "cross-site"})
    assert (403, "origin_not_allowed") == (said.status, said.code())
    assert [] == house.engine.asked
    assert "access-control-allow-origin" not in said.headers


async def test_s3_without_the_setting_there_is_no_cors() -> None:
    """By default no answer has a CORS header, reads included, and a preflight is refused."""
    preflight = {"origin": ORIGIN, "access-control-request-method": "POST"}
    async with gateway() as house:
        read = await house.ask("GET", "/v1/models", headers={"origin": ORIGIN})
        asked = await house.ask("OPTIONS", CHAT, body=b"", headers=preflight, key=None)
        posted = await house.ask(headers={"origin": ORIGIN})
    assert (200, 403, 403) == (read.status, asked.status, posted.status)
    assert not [name for said in (read, asked, posted) for name in said.headers if name.startswith("access-control")]


async def test_s3_a_listed_origin_may_do_everything() -> None:
    """A listed origin gets its preflight answered without a key, and sees answers and errors with CORS headers."""
    preflight = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, x-stainless-lang",
    }
    async with gateway(snapshot=make_snapshot(origins=(ORIGIN,))) as house:
        asked = await house.ask("OPTIONS", CHAT, body=b"", headers=preflight, key=None)
        posted = await house.ask(headers={"origin": ORIGIN, "sec-fetch-site": "cross-site"})
        refused = await house.ask(headers={"origin": ORIGIN}, key="wrong")
        missing = await house.ask("GET", "/nothing", headers={"origin": ORIGIN})
    assert (200, 200, 401, 404) == (asked.status, posted.status, refused.status, missing.status)
    assert "authorization, x-stainless-lang" == asked.headers["access-control-allow-headers"]
    for said in (asked, posted, refused, missing):
        assert (ORIGIN, "origin") == (said.headers["access-control-allow-origin"], said.headers["vary"])
    assert "access-control-allow-credentials" not in posted.headers


@pytest.mark.parametrize("listed", ["*", "null"])
async def test_s3_no_wildcard_counts_as_an_origin(listed: str) -> None:
    """`*` and `null` in the setting let nobody in."""
    async with gateway(snapshot=make_snapshot(origins=(listed,))) as house:
        said = await house.ask(headers={"origin": listed})
    assert 403 == said.status


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/jsonp"},
        {"content-encoding": "gzip"},
        {"content-encoding": "br, identity"},
    ],
)
async def test_s3_only_plain_json_is_read(headers: dict[str, str]) -> None:
    """A body that is not declared as JSON, or is compressed, is a 415."""
    async with gateway() as house:
        said = await house.ask(headers=headers)
    assert 415 == said.status
    assert [] == house.engine.asked


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8", " application/json ;x=y"])
async def test_json_is_json_however_it_is_written(kind: str) -> None:
    """Case and parameters of the content type do not matter."""
    async with gateway() as house:
        said = await house.ask(headers={"content-type": kind})
    assert 200 == said.status


DEEP = b"[" * 100_000
BAD_BODIES: dict[str, bytes] = {
    "not json": b"hello",
    "empty object": b"{}",
    "array": b"[]",
    "null": b"null",
    "cut": BODY[:-1],
    "twice": BODY + BODY,
    "trailing comma": b'{"model":"default","messages":[],}',
    "no model": b'{"messages":[{"role":"user","content":"x"}]}',
    "model a number": b'{"model":1,"messages":[{"role":"user","content":"x"}]}',
    "model null": b'{"model":null,"messages":[{"role":"user","content":"x"}]}',
    "no messages": b'{"model":"default"}',
    "empty messages": b'{"model":"default","messages":[]}',
    "messages a text": b'{"model":"default","messages":"x"}',
    "message a text": b'{"model":"default","messages":["x"]}',
    "stream a text": b'{"model":"default","stream":"yes","messages":[{"role":"user","content":"x"}]}',
    "deep": b'{"model":"default","messages":' + DEEP + b"}",
    "deep in a field": b'{"model":"default","messages":[{"role":"user","content":"x"}],"x":'
    + b"[" * 200
    + b"]" * 200
    + b"}",
    "long number": b'{"model":"default","messages":[{"role":"user","content":"x"}],"seed":' + b"9" * 1_000_000 + b"}",
    "many keys": json.dumps(
        {"model": "default", "messages": [{"role": "user"}], **{f"k{n}": 1 for n in range(100_001)}}
    ).encode(),
    "not utf-8": b'{"model":"default","messages":[{"role":"user","content":"\xff"}]}',
    "utf-16": BODY.decode().encode("utf-16"),
    "nan": b'{"model":"default","messages":[{"role":"user","content":"x"}],"temperature":NaN}',
    "control character": b'{"model":"default","messages":[{"role":"user","content":"a\nb"}]}',
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_s15_a_bad_body_is_a_400_in_the_wire(name: str) -> None:
    """Malformed, mistyped, too deep, too many, too long: each is a JSON 400, and the gateway goes on."""
    async with gateway() as house:
        said = await house.ask(body=BAD_BODIES[name])
        again = await house.ask()
    assert 400 == said.status, said.raw[:500]
    error: dict[str, Any] = said.json()["error"]
    assert error["message"]
    assert "invalid_request_error" == error["type"]
    assert "Traceback" not in said.body.decode()
    assert 200 == again.status


async def test_s15_an_empty_body_is_a_400() -> None:
    """A POST with a JSON content type and nothing in it is a 400."""
    async with gateway() as house:
        said = await house.ask(body=b"", headers={"content-type": "application/json", "content-length": "0"})
    assert 400 == said.status


async def test_s15_a_body_over_the_limit_is_a_413() -> None:
    """A declared length over the limit is refused unread, a chunked body as soon as it is over."""
    large = b'{"x":"' + b"a" * 2000 + b'"}'
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
    )
    chunked = b"".join(b"1\r\n%c\r\n" % byte for byte in large)
    async with gateway(snapshot=make_snapshot(Limits(body_bytes_max=1000))) as house:
        declared = await house.ask(body=large)
        small = await house.ask()
        slowly = await house.raw(
            head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunked + b"0\r\n\r\n" + b"GET / HTTP/1.0\r\n\r\n"
        )
    assert (413, "body_too_large", 200) == (declared.status, declared.code(), small.status)
    assert b"413" == slowly[9:12]


async def test_s13_control_characters_from_a_client_go_nowhere() -> None:
    """A model name or id with CR, LF or NUL is refused and never part of a header."""
    bad = BODY.replace(b"default", b"a\\r\\nx-evil: 1\\u0000")
    async with gateway() as house:
        said = await house.ask(body=bad)
        one = await house.ask("GET", "/v1/models/a%0d%0ax-evil:%201%00")
        raw = await house.ask("GET", "/v1/models/%ff%fe")
    assert (404, 404) == (one.status, raw.status)
    assert said.status in {400, 404}
    assert not [name for each in (said, one, raw) for name in each.headers if "evil" in name]


@pytest.mark.parametrize("is_stream", [True, False])
async def test_s13_a_providers_model_name_ends_no_header(is_stream: bool) -> None:  # noqa: FBT001  # a parameter
    """A model name with line ends, as a provider may list it, stays inside its header."""

    async def act(_asked: Asked, _route: Route, _arrival: Arrival, out: Out) -> None:
        await out.begin(200, [(b"x-everup-model", b"p/a\r\nx-evil: 1\x00")])
        await out.write(b"{}")
        await out.finish()

    async with gateway(act) as house:
        said = await house.ask(body=STREAM_BODY if is_stream else BODY)
    assert (200, "p/a??x-evil: 1?") == (said.status, said.headers["x-everup-model"])
    assert "x-evil" not in said.headers


@given(st.text(max_size=80))
def test_s13_a_model_id_is_printable_or_refused(text: str) -> None:
    """Whatever stands in a path as a model id is a printable name or a 404."""
    path = b"/v1/models/" + text.encode("utf-8", "replace")
    try:
        assert read_id(path).isprintable()
    except RequestError as error:
        assert 404 == error.status  # noqa: PT017  # either


@pytest.mark.parametrize(
    ("headers", "deadline_s"),
    [
        ({}, None),
        ({b"x-everup-deadline-s": b"2.5"}, 2.5),
        ({b"x-stainless-read-timeout": b"600"}, 600.0),
        ({b"x-everup-deadline-s": b"1", b"x-stainless-read-timeout": b"600"}, 1.0),
        ({b"x-everup-deadline-s": b"soon", b"x-stainless-read-timeout": b"600"}, 600.0),
        ({b"x-everup-deadline-s": b"-1"}, None),
        ({b"x-everup-deadline-s": b"0"}, None),
        ({b"x-everup-deadline-s": b"inf"}, None),
        ({b"x-everup-deadline-s": b"nan"}, None),
        ({b"x-everup-deadline-s": b"9" * 400}, None),
        ({b"x-stainless-read-timeout": b"None"}, None),
        ({b"x-stainless-read-timeout": b"\xff"}, None),
    ],
)
def test_a_deadline_is_a_positive_number_or_none(headers: dict[bytes, bytes], deadline_s: float | None) -> None:
    """A client's deadline counts only as a positive finite number; garbage is as if absent."""
    assert deadline_s == read_deadline_s(headers)


async def test_the_deadline_reaches_the_engine() -> None:
    """What a client allows in all is in the arrival the engine sees."""
    async with gateway() as house:
        await house.ask(headers={"x-stainless-read-timeout": "42"})
    assert [42.0] == [arrival.deadline_s for arrival in house.engine.arrivals]
