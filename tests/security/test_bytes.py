"""Hostile bytes from clients: FAULTS section 6, S10 (upstream override), S12, S13, S15, S16; bar L11 in small."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from everup.testing import scripts as s
from everup.testing.client import Answer, Conversation, exchange
from everup.testing.gateway import CHAT, KEY, chat_body
from everup.testing.provider import ScriptedProvider
from tests.faults.stage import Stage, open_stage

pytestmark = pytest.mark.anyio

HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
LIMITS = {"head_s": 1.0, "body_quiet_s": 1.0, "body_s": 3.0, "connections_max": 400}
POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer " + KEY.encode() + b"\r\n"
JSON = b"content-type: application/json\r\n"
BODY = chat_body("default")
SMUGGLED = b"GET /status HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer " + KEY.encode() + b"\r\n\r\n"


def length(size: int) -> bytes:
    """Return a content-length line."""
    return b"content-length: %d\r\n" % size


CHUNKED = b"transfer-encoding: chunked\r\n"
SMUGGLING = {
    "a length and chunks": JSON + length(5) + CHUNKED + b"\r\n0\r\n\r\n" + SMUGGLED,
    "chunks and a length": JSON + CHUNKED + length(5) + b"\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": JSON + length(len(BODY)) + length(0) + b"\r\n" + BODY,
    "two equal lengths": JSON + length(len(BODY)) + length(len(BODY)) + b"\r\n" + BODY,
    "a list of lengths": JSON + b"content-length: 2, 2\r\n\r\n{}",
    "a negative length": JSON + b"content-length: -1\r\n\r\n{}",
    "a signed length": JSON + b"content-length: +2\r\n\r\n{}",
    "a length that overflows": JSON + b"content-length: 99999999999999999999\r\n\r\n{}",
    "an unknown coding": JSON + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked twice": JSON + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a chunk size that is none": JSON + CHUNKED + b"\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a chunk without its end": JSON + CHUNKED + b"\r\n2\r\n{}0\r\n\r\n" + SMUGGLED,
    "bare line feeds": JSON.replace(b"\r\n", b"\n") + b"content-length: 2\n\n{}",
    "a folded header": JSON + b"x-a: b\r\n c\r\n" + length(2) + b"\r\n{}",
    "a space before the colon": JSON + b"content-length : 2\r\n\r\n{}",
    "a NUL in a header": JSON + b"x-a: \x00\r\n" + length(2) + b"\r\n{}",
    "a header without a name": JSON + b": b\r\n" + length(2) + b"\r\n{}",
}


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup with small clocks for what clients send."""
    async with open_stage(tmp_path_factory.mktemp("bytes"), {"default": ["p/m"]}, limits=LIMITS) as running:
        yield running


async def post(stage: Stage, body: bytes, **headers: str) -> Answer:
    """Return the answer to a chat request of these bytes."""
    given = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await exchange(stage.gateway.port, "POST", CHAT, given, body)


async def end_of(talk: Conversation, within_s: float = 8.0) -> bytes:
    """Return everything until the connection ends; `TimeoutError` if it stays."""
    async with asyncio.timeout(within_s):
        try:
            return await talk.reader.read()
        except ConnectionError:
            return b""


@pytest.mark.parametrize("kind", SMUGGLING)
async def test_smuggling_is_refused(stage: Stage, kind: str) -> None:
    """A request whose end can be read in two ways is refused, its connection closed, nothing passed on (S12)."""
    before = len(stage["p"].requests)
    async with stage.gateway.talk() as talk:
        talk.writer.write(POST + SMUGGLING[kind])
        seen = await end_of(talk)
    assert 1 == len(re.findall(rb"HTTP/1\.1 \d{3} ", seen))
    assert seen.startswith(b"HTTP/1.1 4")
    assert before == len(stage["p"].requests)


@pytest.mark.parametrize(
    "name", ["base_url", "api_base", "api_key", "extra_headers", "extra_body", "custom_llm_provider"]
)
async def test_a_client_cannot_choose_the_upstream(stage: Stage, name: str) -> None:
    """A field that other gateways obey is refused by name, and nobody hears of the request (S10)."""
    before = len(stage["p"].requests)
    async with ScriptedProvider() as capture:
        value: object = {"authorization": "x"} if name.endswith("headers") else capture.base_url
        answer = await post(stage, chat_body("default", **{name: value}))
        assert (400, name) == (answer.status, answer.error["param"])
        assert (0, before) == (capture.connections, len(stage["p"].requests))


async def test_a_header_cannot_choose_the_upstream(stage: Stage) -> None:
    """Headers that other gateways obey change nothing: the key goes to its configured address only (S10)."""
    async with ScriptedProvider() as capture:
        url = capture.base_url
        answer = await post(stage, BODY, x_api_base=url, x_base_url=url, api_base=url, x_portkey_custom_host=url)
        assert (200, 0) == (answer.status, capture.connections)
    assert "key-of-p" == stage["p"].requests[-1].key


async def test_the_clients_key_stays_here(stage: Stage) -> None:
    """No header of the client's own goes upstream: neither its key nor its cookies (S10)."""
    await post(stage, BODY, cookie="secret=1", x_forwarded_for="10.0.0.1", x_private="mine")
    sent = dict(stage["p"].requests[-1].headers)
    assert "Bearer key-of-p" == sent["authorization"]
    assert not {"cookie", "x-forwarded-for", "x-private", "x-api-key"} & {name.lower() for name in sent}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(stage: Stage, status: int) -> None:
    """A provider's redirect is not followed: the key goes to its configured origin only (S10)."""
    async with ScriptedProvider() as capture:
        stage["p"].script(s.body(status, b"", location=f"{capture.base_url}/chat/completions"))
        answer = await post(stage, BODY)
        stage["p"].script(s.reply("Hello"))
        assert (503, 0) == (answer.status, capture.connections)


@pytest.mark.parametrize(
    "name", ["a\r\nx-evil: 1", "a\nb", "a\x00b", "\x1b[31mred", "a" * 5000, "../../etc/passwd", "\u202eevil"]
)
async def test_a_name_is_never_a_header(stage: Stage, name: str) -> None:
    """A model name with line ends, NUL or escapes is a 404 that adds no header line (S13, S14)."""
    answer = await post(stage, chat_body(name))
    assert answer.status in {400, 404}
    assert "x-evil" not in answer.headers
    assert all(value.isprintable() for value in answer.headers.values())
    assert len(answer.body) <= 2048


BOMBS = {
    "deep": b'{"model":"default","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep but small": b'{"model":"default","messages":' + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}",
    "deep in an unknown field": b'{"model":"default","messages":[{"role":"user","content":"a"}],"x":'
    + b"[" * 65
    + b"]" * 65
    + b"}",
    "a number of a million digits": b'{"model":"default","messages":[{"role":"user","content":"a"}],"n":'
    + b"9" * 1_000_000
    + b"}",
    "many keys": b'{"model":"default","messages":[{"role":"user","content":"a"}],"x":{'
    + b",".join(b'"k%d":1' % n for n in range(100_100))
    + b"}}",
}


@pytest.mark.parametrize("kind", BOMBS)
async def test_json_bombs_are_refused(stage: Stage, kind: str) -> None:
    """JSON that is deep, wide or has endless numbers is a 400 in the client's wire (S15)."""
    before = len(stage["p"].requests)
    answer = await post(stage, BOMBS[kind])
    assert 400 == answer.status
    assert {"message", "type", "code", "param"} <= set(answer.error)
    assert before == len(stage["p"].requests)


BAD_JSON = {
    "nothing": b"",
    "half": b'{"model": "default", "messages": [',
    "not JSON": b"model=default",
    "a list": b"[]",
    "null": b"null",
    "NaN": b'{"model":"default","messages":[{"role":"user","content":"a"}],"temperature":NaN}',
    "not UTF-8": b'{"model":"default","messages":[{"role":"user","content":"\xff\xfe"}]}',
    "a lone surrogate": b'{"model":"default","messages":[{"role":"user","content":"\\ud800"}]',
    "no model": b'{"messages":[{"role":"user","content":"a"}]}',
    "model is a number": b'{"model":7,"messages":[{"role":"user","content":"a"}]}',
    "no messages": b'{"model":"default"}',
    "no message": b'{"model":"default","messages":[]}',
    "messages is text": b'{"model":"default","messages":"hello"}',
    "stream is text": b'{"model":"default","messages":[{"role":"user","content":"a"}],"stream":"yes"}',
    "two in one": BODY + BODY,
}


@pytest.mark.parametrize("kind", BAD_JSON)
async def test_bad_json_is_told(stage: Stage, kind: str) -> None:
    """Bodies that are no request are a 400 in the client's wire, and the gateway goes on."""
    before = len(stage["p"].requests)
    answer = await post(stage, BAD_JSON[kind])
    assert 400 == answer.status, answer.body
    assert answer.error["message"]
    assert before == len(stage["p"].requests)
    assert 200 == (await post(stage, BODY)).status


async def test_a_body_over_the_limit_is_refused_unread(stage: Stage) -> None:
    """A body that says it is over 32 MiB gets 413 before it is sent; one that grows over it, too (S15)."""
    async with stage.gateway.talk() as talk:
        talk.writer.write(POST + JSON + length((32 << 20) + 1) + b"\r\n")
        assert 413 == await talk.read_head()
        assert "error" in json.loads(await talk.read_rest())
    async with stage.gateway.talk() as talk:
        talk.writer.write(POST + JSON + CHUNKED + b"\r\n")
        chunk = s.chunk(b" " * (1 << 20))

        async def pour() -> None:
            for _ in range(40):
                talk.writer.write(chunk)
                await talk.writer.drain()

        pouring = asyncio.create_task(pour())
        assert 413 == await talk.read_head()
        pouring.cancel()
        await asyncio.gather(pouring, return_exceptions=True)


async def test_a_packed_body_is_refused(stage: Stage) -> None:
    """A compressed body is refused: nothing is unpacked for a client (S15)."""
    assert 415 == (await post(stage, gzip.compress(BODY), content_encoding="gzip")).status


async def test_a_head_too_large_is_refused(stage: Stage) -> None:
    """Heads over the limits, by size or by count, are 431 or 400, not read for ever (S16)."""
    many = b"".join(b"x-%d: 1\r\n" % n for n in range(3000))
    for lines in (b"x-big: " + b"x" * 100_000 + b"\r\n", many):
        async with stage.gateway.talk() as talk:
            talk.writer.write(POST + lines + length(2) + b"\r\n{}")
            assert (await end_of(talk)).startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))


SLOW = {
    "says nothing": b"",
    "a head that never ends": POST,
    "a body that never comes": POST + JSON + length(500) + b"\r\n",
    "a body that stops": POST + JSON + length(500) + b"\r\n" + b'{"model"',
    "a chunk that stops": POST + JSON + CHUNKED + b"\r\n1f4\r\n{",
}


@pytest.mark.parametrize("kind", SLOW)
async def test_slow_clients_are_let_go(stage: Stage, kind: str) -> None:
    """A client that does not finish its head or body is ended within the limits (S16)."""
    async with stage.gateway.talk() as talk:
        talk.writer.write(SLOW[kind])
        seen = await end_of(talk)
    assert seen == b"" or seen.startswith(b"HTTP/1.1 408")


async def test_dripping_clients_are_let_go(stage: Stage) -> None:
    """A client that sends a byte now and then is ended too: it is the whole head or body that has a time (S16)."""

    async def drip(start: bytes) -> None:
        async with stage.gateway.talk() as talk:
            talk.writer.write(start)
            ended = asyncio.create_task(end_of(talk))
            while not ended.done():
                talk.writer.write(b"x")
                await asyncio.wait({ended}, timeout=0.2)
            assert ended.result() == b"" or ended.result().startswith(b"HTTP/1.1 4")

    async with asyncio.timeout(12):
        await asyncio.gather(drip(POST + b"x-a: "), drip(POST + JSON + length(5000) + b"\r\n" + b'{"a":"'))


async def test_a_crowd_of_slow_clients_shuts_nobody_out(stage: Stage) -> None:
    """While 300 slow clients hold connections normal requests are answered (L11)."""
    async with AsyncExitStack() as crowd:
        for _ in range(300):
            talk = await crowd.enter_async_context(stage.gateway.talk())
            talk.writer.write(POST)
        answers = await asyncio.gather(*(post(stage, BODY) for _ in range(20)))
        assert {200} == {answer.status for answer in answers}
    assert 200 == (await post(stage, BODY)).status


async def test_one_connection_too_many_is_told(stage: Stage) -> None:
    """Connections over the limit are told 503 and closed, and those inside it live (S16)."""
    async with AsyncExitStack() as crowd:
        inside = await crowd.enter_async_context(stage.gateway.talk())
        await inside.send("GET", "/healthz", {}, b"")
        assert 200 == await inside.read_head()
        await inside.read_rest()
        talks = [await crowd.enter_async_context(stage.gateway.talk()) for _ in range(420)]
        ended = 0
        for talk in talks[-5:]:
            seen = await end_of(talk)
            ended += seen == b"" or seen.startswith(b"HTTP/1.1 503")
        assert 5 == ended
        await inside.send("GET", "/healthz", {}, b"")
        assert 200 == await inside.read_head()
