"""HTTP as clients and attackers speak it: bounds, framing, deadlines."""

from __future__ import annotations

import asyncio
import json
import re
import socket

import pytest

from everup.engine.out import Out
from everup.shapes.arrival import Arrival
from everup.shapes.asked import Asked
from everup.shapes.limits import Limits
from everup.shapes.route import Route
from everup.surfaces.connections import canonical_address
from tests.surfaces.scene import ANSWER, BODY, KEY, STREAM_BODY, Said, gateway, make_snapshot, until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("way")]

HEAD = b"Host: localhost\r\nAuthorization: Bearer " + KEY.encode() + b"\r\nContent-Type: application/json\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\n" + HEAD
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
SMUGGLED = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"

SMUGGLING = {
    "length and chunked": POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": POST + b"Content-Length: 6\r\nContent-Length: 5\r\n\r\n" + SMUGGLED,
    "two equal lengths": POST + b"Content-Length: 6\r\nContent-Length: 6\r\n\r\n" + SMUGGLED,
    "list of lengths": POST + b"Content-Length: 6, 6\r\n\r\n" + SMUGGLED,
    "negative length": POST + b"Content-Length: -1\r\n\r\n" + SMUGGLED,
    "plus length": POST + b"Content-Length: +6\r\n\r\n" + SMUGGLED,
    "hex length": POST + b"Content-Length: 0x6\r\n\r\n" + SMUGGLED,
    "huge length": POST + b"Content-Length: 99999999999999999999999\r\n\r\n" + SMUGGLED,
    "empty length": POST + b"Content-Length: \r\n\r\n" + SMUGGLED,
    "space before colon": POST + b"Content-Length : 6\r\n\r\n" + SMUGGLED,
    "folded header": POST + b"X-A: a\r\n b: c\r\nContent-Length: 0\r\n\r\n",
    "folded first header": b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n",
    "identity encoding": POST + b"Transfer-Encoding: identity\r\n\r\n" + SMUGGLED,
    "gzip then chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked then identity": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "odd chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked with vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked in 1.0": POST.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "negative chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "huge chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 20 + b"\r\n\r\n",
    "chunk without end": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\naXX0\r\n\r\n",
    "bare lf in chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n",
    "bare lf": b"GET /healthz HTTP/1.1\nHost: localhost\n\n",
    "bare cr": b"GET /healthz HTTP/1.1\rHost: localhost\r\r",
    "nul in name": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX\x00: a\r\n\r\n",
    "nul in value": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
    "cr in value": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
    "no colon": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nNoColon\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "empty host": b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n",
    "http/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http/0.9": b"GET /healthz\r\n\r\n",
    "http/9": b"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "tls hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "unknown method": b"FOO /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "lower method": b"get /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "connect": b"CONNECT evil:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "fragment": b"GET /healthz#/status HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "backslash": b"GET /healthz\\..\\status HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "space in target": b"GET /healthz /status HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "8-bit target": b"GET /health\xe9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "absolute to another host": b"GET http://evil/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "absolute with user": b"GET http://localhost@evil/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "other scheme": b"GET file:///etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no slash": b"GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
async def test_s12_smuggling_corpus_is_refused(name: str) -> None:
    """Whatever two parsers could read differently gets one JSON 400, then the connection ends and nothing ran."""
    async with gateway() as house:
        said = await house.raw(SMUGGLING[name])
    assert said.startswith(b"HTTP/1.1 400 "), said
    assert 1 == len(re.findall(rb"HTTP/1\.1 \d", said))
    assert "bad_request" == Said(said).code()
    assert "close" == Said(said).headers["connection"]
    assert [] == house.engine.asked


async def test_s12_nginx_would_take_these_too() -> None:
    """Lawful oddities are served: absolute form of the same host, chunk extensions, trailers, empty lines before."""
    chunked = b"%x;ext=1\r\n%b\r\n0\r\nAuthorization: Bearer wrong\r\n\r\n" % (len(BODY), BODY)
    close = b"Connection: close\r\n"
    lawful = [
        b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"\r\n\r\n" + GET + close + b"\r\n",
        POST + close + b"Transfer-Encoding: chunked\r\n\r\n" + chunked,
        POST + close + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
        GET + b"Upgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n",
    ]
    async with gateway() as house:
        said = [await house.raw(each) for each in lawful]
    assert [b"200"] * len(lawful) == [each.split(b"HTTP/1.1 ")[-1][:3] for each in said]


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Requests sent without waiting get their answers one after the other on one connection."""
    last = b"GET /v1/models HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n"
    async with gateway() as house:
        said = await house.raw(POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY + GET + b"\r\n" + last)
    assert 3 == said.count(b"HTTP/1.1 200 OK")
    assert said.index(ANSWER) < said.index(b'"status"') < said.index(b'"object":"list"')


async def test_garbage_after_a_request_never_lands_in_its_answer() -> None:
    """Bytes that are no request, sent while an answer streams, leave the answer whole and end the connection."""
    gate = asyncio.Event()

    async def act(_asked: Asked, _route: Route, _arrival: Arrival, out: Out) -> None:
        await out.begin(200, [])
        await out.write(b"data: 1\n\n")
        await gate.wait()
        await out.write(b"data: [DONE]\n\n")
        await out.finish()

    async with gateway(act) as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(POST + b"Content-Length: %d\r\n\r\n" % len(STREAM_BODY) + STREAM_BODY)
        head = await reader.readuntil(b"data: 1\n\n")
        writer.write(b"\x00\x01 garbage\r\n\r\n")
        await writer.drain()
        await until(lambda: house.metrics.numbers.get(("everup_requests_refused_total", ("400",))) == 1)
        gate.set()
        rest = await reader.read()
        writer.close()
    said = Said(head + rest)
    assert said.is_whole
    assert b"data: 1\n\ndata: [DONE]\n\n" == said.body


@pytest.mark.parametrize(
    ("size", "status"), [(60_000, b"200"), (66_000, b"431"), (100_000, b"431"), (2_000_000, b"431")]
)
@pytest.mark.parametrize("chunk", [7_000, 4_000_000])
async def test_a_large_header_is_refused(size: int, status: bytes, chunk: int) -> None:
    """A head over 64 KiB is a 431, however its bytes are cut, one header as well as a head that never ends."""
    data = GET + b"Connection: close\r\nX: " + b"a" * size + b"\r\n\r\n"
    async with gateway() as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        try:
            for start in range(0, len(data), chunk):
                writer.write(data[start : start + chunk])
                await writer.drain()
        except ConnectionError:
            pass
        said = await reader.read()
        writer.close()
    assert status == said[9:12]


async def test_a_large_pipelined_head_is_refused() -> None:
    """A head is measured also when it begins in the middle of a read: the first request is answered, this one not."""
    async with gateway() as house:
        said = await house.raw(GET + b"\r\n" + GET + b"X: " + b"a" * 90_000 + b"\r\n\r\n")
        refused = house.metrics.numbers["everup_requests_refused_total", ("431",)]
    assert (1, 1) == (said.count(b"HTTP/1.1 200"), refused)


@pytest.mark.parametrize(("count", "status"), [(90, b"200"), (101, b"431"), (2_000, b"431")])
async def test_too_many_headers_are_refused(count: int, status: bytes) -> None:
    """More than 100 headers are a 431."""
    async with gateway() as house:
        said = await house.raw(GET + b"Connection: close\r\n" + b"X: a\r\n" * count + b"\r\n")
    assert status == said[9:12]


SLOW = Limits(head_s=0.3, body_quiet_s=0.3, body_s=1.0, keep_alive_idle_s=0.3)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", b""),
        (b"GET /healthz HT", b"408"),
        (GET + b"X: a", b"408"),
        (POST + b"Content-Length: 100\r\n\r\nabc", b"408"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", b"408"),
        (GET + b"\r\n", b"200"),
    ],
    ids=["nothing", "request line", "header", "body", "chunk", "idle after an answer"],
)
async def test_s16_slow_clients_are_ended(data: bytes, status: bytes) -> None:
    """A client that stops in its head or body gets a 408, a silent one is closed, an idle one too."""
    async with gateway(snapshot=make_snapshot(SLOW)) as house:
        said = await house.raw(data)
        await until(lambda: not house.connections.open)
    assert status == said[9:12]
    assert [] == house.engine.asked


async def test_s16_a_body_that_trickles_is_ended() -> None:
    """A body whose bytes keep coming one by one still has to arrive in the time a whole body has."""
    async with gateway(snapshot=make_snapshot(SLOW)) as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(POST + b"Content-Length: 10000\r\n\r\n")
        reading = asyncio.create_task(reader.read())
        while not reading.done():
            writer.write(b"a")
            await asyncio.sleep(0.05)
        writer.close()
    assert b"408" == reading.result()[9:12]


@pytest.mark.parametrize("kind", [b"5;" + b"e" * 70_000, b"0\r\n" + b"X: a\r\n" * 12_000, b"0\r\nX: " + b"a" * 70_000])
async def test_s16_a_body_without_body_is_ended(kind: bytes) -> None:
    """Chunk extensions and trailers without end are a 400."""
    async with gateway() as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(kind), 10_000):
            writer.write(kind[start : start + 10_000])
            await asyncio.sleep(0.01)
        said = await reader.read()
        writer.close()
    assert said[9:12] in {b"400", b"431"}


async def test_s16_many_slow_clients_do_not_hold_up_others() -> None:
    """With 300 clients stuck in their heads, requests are answered and the slow ones are gone after their time."""
    async with gateway(snapshot=make_snapshot(Limits(head_s=1.0))) as house:
        slow = []
        for _ in range(300):
            _, writer = await asyncio.open_connection("127.0.0.1", house.port)
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHo")
            slow.append(writer)
        said = [(await house.ask()).status for _ in range(20)]
        await until(lambda: not house.connections.open)
        for writer in slow:
            writer.close()
    assert [200] * 20 == said


async def test_s16_connections_are_bounded() -> None:
    """Beyond the bound a connection is told 503 with Retry-After, and the ones before it are served."""
    async with gateway(snapshot=make_snapshot(Limits(connections_max=2))) as house:
        held = [await asyncio.open_connection("127.0.0.1", house.port) for _ in range(2)]
        await until(lambda: len(house.connections.open) == 2)
        refused = Said(await house.raw(GET + b"\r\n"))
        held[0][1].write(GET + b"Connection: close\r\n\r\n")
        served = await held[0][0].read()
        for _, writer in held:
            writer.close()
        await until(lambda: not house.connections.open)
    assert (503, "too_many_connections", "1") == (refused.status, refused.code(), refused.headers["retry-after"])
    assert b"200" == served[9:12]


async def test_s16_one_address_is_bounded() -> None:
    """One address may not take every connection."""
    async with gateway(snapshot=make_snapshot(Limits(connections_per_address_max=1))) as house:
        _, writer = await asyncio.open_connection("127.0.0.1", house.port)
        await until(lambda: len(house.connections.open) == 1)
        refused = Said(await house.raw(GET + b"\r\n"))
        other = socket.create_connection(("127.0.0.1", house.port), source_address=("127.0.0.2", 0))
        await until(lambda: house.connections.by_address.get("127.0.0.2") == 1)
        other.close()
        writer.close()
        await until(lambda: not house.connections.by_address)
    assert 503 == refused.status


async def test_an_early_refusal_is_seen_despite_an_unread_body() -> None:
    """A client that is refused before its body was read still sees the answer."""
    async with gateway(snapshot=make_snapshot(Limits(body_bytes_max=1000))) as house:
        data = POST + b"Content-Length: 5000000\r\n\r\n" + b"a" * 5_000_000
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(data)
        said = await reader.readuntil(b"}}")
        writer.close()
    assert b"413" == said[9:12]
    assert "body_too_large" == json.loads(said.partition(b"\r\n\r\n")[2])["error"]["code"]


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::ffff:a00:1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::9", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unix"),
    ],
)
def test_s7_addresses_are_canonical(address: str, canonical: str) -> None:
    """One caller has one address, however it is written."""
    assert canonical == canonical_address(address)
