"""The scripted provider and the plain client, against each other: each fault is really on the wire."""

from __future__ import annotations

import asyncio
import json
import ssl

import pytest
import trustme

from everup.testing import scripts as s
from everup.testing.client import Answer, conversation, exchange
from everup.testing.clock import JumpLoop, until
from everup.testing.provider import ScriptedProvider, refusing_port

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Return the loop whose clock jumps: pauses in scripts cost nothing."""
    return ("asyncio", {"loop_factory": JumpLoop})


async def ask(provider: ScriptedProvider, *, stream: bool = False, model: str = "m", key: str = "k") -> Answer:
    """Return what the provider answers to one small chat request."""
    body = json.dumps({"model": model, "messages": [], "stream": stream}).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return await exchange(provider.port, "POST", "/v1/chat/completions", headers, body, within_s=100)


async def test_a_good_answer_comes_in_both_forms() -> None:
    """The same reply is a JSON body or an event stream, as the request asks."""
    async with ScriptedProvider(s.reply("Hel", "lo")) as provider:
        whole, streamed = await ask(provider), await ask(provider, stream=True)
    assert (200, "Hello", True) == (whole.status, whole.text, whole.is_complete)
    assert (200, "Hello", True, True) == (streamed.status, streamed.text, streamed.is_complete, streamed.is_done)


async def test_requests_are_remembered() -> None:
    """Key, model, body digest and counts of every request are kept; nothing is held against a good one."""
    async with ScriptedProvider() as provider:
        await ask(provider, key="k1")
        await ask(provider, key="k1")
        await ask(provider, key="k2", model="n", stream=True)
    assert {("k1", "m"): 2, ("k2", "n"): 1} == dict(provider.calls)
    assert [False, False, True] == [request.is_stream for request in provider.requests]
    assert provider.requests[0].sha256 == provider.requests[1].sha256 != provider.requests[2].sha256
    assert [] == provider.complaints


async def test_scripts_are_found_by_key_then_model_then_any() -> None:
    """A key's script wins over its model's, which wins over the one for all; the last of a list stays."""
    by = {"k1": (s.error(401),), "m2": (s.error(429), s.reply("two")), "*": (s.reply("any"),)}
    async with ScriptedProvider(by) as provider:
        assert 401 == (await ask(provider, key="k1", model="m2")).status
        assert 429 == (await ask(provider, model="m2")).status
        assert ["two", "two"] == [(await ask(provider, model="m2")).text for _ in range(2)]
        assert "any" == (await ask(provider, model="m3")).text


async def test_models_are_listed_and_not_counted_as_calls() -> None:
    """A GET lists the models and does not disturb the scripts."""
    async with ScriptedProvider(models=("a", "b")) as provider:
        answer = await exchange(provider.port, "GET", "/v1/models")
    assert ["a", "b"] == [row["id"] for row in answer.json["data"]]
    assert (0, 1) == (len(provider.requests), len(provider.listings))


async def test_a_cut_stream_is_not_complete() -> None:
    """A stream cut between events, by FIN or RST, shows its events and is not complete."""
    for last in (s.Close(), s.Reset()):
        cut = s.stream(s.ROLE, *s.texts("Hel"), s.Pause(0.1), last, is_ended=False)
        async with ScriptedProvider(cut) as provider:
            answer = await ask(provider, stream=True)
        assert ("Hel", False) == (answer.text, answer.is_complete)


@pytest.mark.parametrize("last", [s.Close(), s.Reset()])
async def test_no_answer_at_all(last: s.Step) -> None:
    """A connection that ends before the head gives the client an error, not an answer."""
    async with ScriptedProvider(s.play(last)) as provider:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await ask(provider)
    assert 1 == len(provider.requests)


async def test_silence_lasts_until_the_client_leaves() -> None:
    """A provider that never answers is left by the client's deadline and knows when."""
    async with ScriptedProvider(s.play(s.Silence())) as provider:
        with pytest.raises(TimeoutError):
            await ask(provider)
        request = provider.requests[0]
        await until(lambda: request.gone_mono_s is not None)
        assert request.gone_mono_s is not None
        assert pytest.approx(100, abs=1) == request.gone_mono_s - request.arrived_mono_s


async def test_pauses_are_on_the_loops_clock() -> None:
    """A minute before the head and ten seconds between events are exactly that on the loop's clock."""
    script = s.stream(s.Pause(10), *s.chat_sse("late")).after(s.Pause(60))
    async with ScriptedProvider(script) as provider:
        answer = await ask(provider, stream=True)
    assert pytest.approx(60, abs=0.1) == answer.head_s
    assert pytest.approx(70, abs=0.1) == answer.total_s


async def test_slices_change_nothing_but_the_writes() -> None:
    """An answer in one-byte slices is byte for byte the answer in one."""
    async with ScriptedProvider({"a": (s.reply("Grüße"),), "b": (s.reply("Grüße").sliced(1),)}) as provider:
        assert (await ask(provider, model="a", stream=True)).body == (await ask(provider, model="b", stream=True)).body


async def test_an_endless_body_ends_with_its_reader() -> None:
    """A body without end is sent only as fast as it is read, and stops when the reader leaves."""
    endless = s.play(s.Send(s.SSE_HEAD), s.Send(s.chunk(bytes(65_536)), times=0))
    async with ScriptedProvider(endless, send_buffer_bytes=65_536) as provider:
        async with conversation(provider.port, receive_buffer_bytes=65_536) as talk:
            await talk.send("POST", "/v1/chat/completions", {}, b"{}")
            await talk.read_head()
            for _ in range(50):
                await talk.read_some()
            await asyncio.sleep(1)
            held = provider.requests[0].sent_bytes
            await asyncio.sleep(1)
            assert held == provider.requests[0].sent_bytes < 8_000_000
        await until(lambda: provider.requests[0].gone_mono_s is not None)


async def test_a_gzip_bomb_is_small_on_the_wire() -> None:
    """Sixteen megabytes of zeros take less than twenty kilobytes."""
    assert len(s.gzip_bomb(16 << 20)) < 20_000


async def test_early_heads_come_before_the_answer() -> None:
    """A 103 before the real head is not the answer."""
    async with ScriptedProvider(s.reply("ok").after(s.Send(s.head(103, {"link": "</x>"})))) as provider:
        assert "ok" == (await ask(provider)).text


async def test_a_bad_request_is_complained_of() -> None:
    """Bytes that are no request are answered 400 and held against the sender."""
    async with ScriptedProvider() as provider, conversation(provider.port) as talk:
        talk.writer.write(b"POST /v1 HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n")
        assert 400 == await talk.read_head()
    assert 1 == len(provider.complaints)


async def test_a_refusing_port_refuses() -> None:
    """A port that is taken but not listened on refuses, and nobody else can take it."""
    with refusing_port() as port, pytest.raises(ConnectionRefusedError):
        await exchange(port, "GET", "/")


async def test_tls_is_offered() -> None:
    """With a certificate the provider speaks TLS."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with ScriptedProvider(tls=context) as provider:
        reader, writer = await asyncio.open_connection("127.0.0.1", provider.port, ssl=trusting)
        writer.write(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"HTTP/1.1 200 OK\r\n" == await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert provider.base_url.startswith("https://")
