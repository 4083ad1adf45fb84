"""
Pages against everup in a real browser: FAULTS section 6, S3 (and S2 for a name that was rebound).

The page tries everything a page can do and reports what it could read. Skipped by name without Chromium.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

import pytest
from msgspec import Struct

from everup.testing.gateway import CHAT, KEY, Gateway, chat_body, config_text
from everup.testing.provider import ScriptedProvider

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.long,
    pytest.mark.skipif(not BROWSER, reason="no Chromium on this machine (Debian package chromium)"),
]

STRANGER = "evil.example"
REPORT_S = 40.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    f"--host-resolver-rules=MAP {STRANGER} 127.0.0.1",
)
ATTEMPTS = """<!doctype html><meta charset="utf-8"><body><script>
const asked = new URLSearchParams(location.search), at = asked.get("gateway"), key = asked.get("key");
const chat = at + asked.get("chat"), body = asked.get("body"), streamed = asked.get("streamed");
const json = {"content-type": "application/json"}, keyed = {authorization: "Bearer " + key};
const read = async (answer) => answer.type === "opaque" ? "opaque" : `read ${answer.status} ${await answer.text()}`;
const get = async (path, more) => read(await fetch(at + path, more));
const post = async (headers, more) => read(await fetch(chat, {method: "POST", headers, body, ...more}));
const element = (tag, set) => new Promise((done, fail) => {
  const made = Object.assign(document.createElement(tag), set);
  made.onload = () => done(made);
  made.onerror = () => fail();
  document.body.append(made);
});
const inside = (frame) => `read ${frame.contentDocument.body.innerText}`;
const form = async () => {
  const frame = Object.assign(document.createElement("iframe"), {name: "answer"});
  document.body.append(frame);
  const sent = Object.assign(document.createElement("form"),
    {method: "post", action: chat, enctype: "text/plain", target: "answer"});
  sent.append(Object.assign(document.createElement("input"),
    {name: body.slice(0, -1) + ',"x":"', value: '"}'}));
  document.body.append(sent);
  const loaded = new Promise((done) => { frame.onload = done; });
  sent.submit();
  await loaded;
  return inside(frame);
};
const xhr = () => new Promise((done, fail) => {
  const asking = new XMLHttpRequest();
  asking.open("POST", chat);
  asking.setRequestHeader("authorization", keyed.authorization);
  asking.setRequestHeader("content-type", "application/json");
  asking.onload = () => done(`read ${asking.status} ${asking.responseText}`);
  asking.onerror = () => fail();
  asking.send(body);
});
const opened = (made) => new Promise((done, fail) => {
  made.onopen = () => done("read");
  made.onerror = () => fail();
});
const attempts = {
  "a simple POST": () => post({"content-type": "text/plain"}),
  "a simple POST, unread": () => post({"content-type": "text/plain"}, {mode: "no-cors"}),
  "a POST without a type, unread": () => post({}, {body: new Blob([body]), mode: "no-cors"}),
  "a JSON POST": () => post(json),
  "a JSON POST with the key": () => post({...json, ...keyed}),
  "a JSON POST with the key, unread": () => post({...json, ...keyed}, {mode: "no-cors"}),
  "a JSON POST with a wrong key": () => post({...json, authorization: "Bearer wrong"}),
  "a POST with the key in the address": async () => read(await fetch(chat + "?key=" + key, {method: "POST", body})),
  "a stream with the key": async () => {
    const answer = await fetch(chat, {method: "POST", headers: {...json, ...keyed}, body: streamed});
    return `read ${answer.headers.get("x-everup-model")} ${await answer.text()}`;
  },
  "a request with the key, the old way": xhr,
  "a beacon": async () => {
    navigator.sendBeacon(chat, new Blob([body], {type: "text/plain"}));
    navigator.sendBeacon(chat, new Blob([body], {type: "application/json"}));
    return "sent";
  },
  "a form": form,
  "the models": () => get("/v1/models"),
  "the models with the key": () => get("/v1/models", {headers: keyed}),
  "the models with the key, unread": () => get("/v1/models", {headers: keyed, mode: "no-cors"}),
  "the status with the key": () => get("/status", {headers: keyed}),
  "the status with the key and cookies": () => get("/status", {headers: keyed, credentials: "include"}),
  "health": () => get("/healthz"),
  "an image": async () => (await element("img", {src: at + "/v1/models"}), "read"),
  "a script": async () => (await element("script", {src: at + "/v1/models"}), "read"),
  "a script of the status": async () => (await element("script", {src: `${at}/status?key=${key}`}), "read"),
  "a style sheet": async () => (await element("link", {rel: "stylesheet", href: at + "/v1/models"}), "read"),
  "a frame": async () => inside(await element("iframe", {src: at + "/healthz"})),
  "a socket": () => opened(new WebSocket(chat.replace("http", "ws"))),
  "an event source": () => opened(new EventSource(at + "/v1/models")),
};
(async () => {
  const found = {};
  const late = () => new Promise((done) => setTimeout(() => done("nothing"), 5000));
  await Promise.all(Object.entries(attempts).map(async ([name, attempt]) => {
    try { found[name] = await Promise.race([attempt(), late()]); } catch { found[name] = "blocked"; }
  }));
  await fetch(asked.get("home") + "/found", {method: "POST", mode: "no-cors", body: JSON.stringify(found)});
})();
</script>"""


class Pages:
    """A web server with the page that tries everything, and what it reported."""

    def __init__(self) -> None:
        self.port = 0
        self.found: asyncio.Queue[dict[str, str]] = asyncio.Queue(maxsize=10)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the page, in a sandbox (its origin is then `null`) if asked so; take a report."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            if head.startswith("post /found"):
                size = int(head.partition("content-length:")[2].split("\r\n")[0])
                await self.found.put(json.loads(await reader.readexactly(size)))
            policy = "content-security-policy: sandbox allow-scripts allow-forms\r\n" if " /sandboxed?" in head else ""
            lines = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n{policy}connection: close\r\n\r\n"
            writer.write(lines.encode() + ATTEMPTS.encode())
            await writer.drain()
        writer.close()


class Scene(Struct, frozen=True):
    """An everup without origins, one with the first page's origin, and the provider behind both."""

    pages: Pages
    provider: ScriptedProvider
    closed: Gateway
    listing: Gateway


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """Yield both gateways and the page's server."""
    pages = Pages()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(await asyncio.start_server(pages.answer, "127.0.0.1", 0))
        pages.port = server.sockets[0].getsockname()[1]
        provider = await stack.enter_async_context(ScriptedProvider(models=("m",)))
        gateways = []
        for origins in ([], [f"http://127.0.0.1:{pages.port}"]):
            text = config_text(providers={"p": {"base_url": provider.base_url}}, routes={"default": ["p/m"]})
            text = text.replace("[server]\n", f"[server]\norigins = {json.dumps(origins)}\n")
            gateway = Gateway(tmp_path_factory.mktemp("browser"), text)
            gateways.append(await stack.enter_async_context(gateway))
        yield Scene(pages, provider, *gateways)


@asynccontextmanager
async def browser(folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Yield a browser with a profile of its own; it and its children are ended."""
    process = await asyncio.create_subprocess_exec(
        BROWSER,
        *FLAGS,
        f"--user-data-dir={folder}",
        *arguments,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


async def visit(scene: Scene, gateway: Gateway, host: str, path: str, folder: Path) -> dict[str, str]:
    """Return what the page of this origin could read of everup."""
    asked = {
        "gateway": f"http://127.0.0.1:{gateway.port}",
        "home": f"http://{host}:{scene.pages.port}",
        "chat": CHAT,
        "key": KEY,
        "body": chat_body("default").decode(),
        "streamed": chat_body("default", stream=True).decode(),
    }
    async with browser(folder, f"http://{host}:{scene.pages.port}{path}?{urlencode(asked)}"):
        async with asyncio.timeout(REPORT_S):
            return await scene.pages.found.get()


async def done(gateway: Gateway) -> dict[str, str]:
    """Return the endpoints that did what they were asked, and how often, but for health and this reading."""
    metrics = (await gateway.get("/metrics")).body.decode().splitlines()
    rows = [line.split(" ") for line in metrics if line.startswith("everup_requests_total{") and 'status="2' in line]
    return {name: count for name, count in rows if "healthz" not in name and "metrics" not in name}


@pytest.mark.parametrize(
    ("host", "path"),
    [("127.0.0.1", "/"), ("localhost", "/"), (STRANGER, "/"), ("127.0.0.1", "/sandboxed")],
    ids=["another port", "another name of this machine", "another site", "no origin"],
)
async def test_s3_a_page_does_and_reads_nothing(scene: Scene, host: str, path: str, tmp_path: Path) -> None:
    """By default a page of another origin, even one that has the key, starts nothing and reads no answer (S3)."""
    before = await done(scene.closed)
    found = await visit(scene, scene.closed, host, path, tmp_path)
    assert len(found) > 20
    assert {} == {name: what for name, what in found.items() if what not in {"blocked", "opaque", "sent"}}
    assert before == await done(scene.closed)
    assert [] == scene.provider.requests


async def test_s3_a_listed_page_works_and_its_neighbour_does_not(scene: Scene, tmp_path: Path) -> None:
    """A page listed in `server.origins` works as any client does, the same page under another name not at all (S3)."""
    found = await visit(scene, scene.listing, "127.0.0.1", "/", tmp_path / "listed")
    for name in ("a JSON POST with the key", "a request with the key, the old way"):
        assert found[name].startswith("read 200 ")
        assert "Hello" in found[name]
    assert found["a stream with the key"].startswith("read p/m data:")
    for name in ("the models with the key", "the status with the key"):
        assert found[name].startswith("read 200 "), name
    assert "blocked" == found["the status with the key and cookies"]  # never allowed
    for name in ("a JSON POST", "a JSON POST with a wrong key", "the models", "a POST with the key in the address"):
        assert found[name].startswith("read 401 "), name
    assert 3 == len(scene.provider.requests)
    found = await visit(scene, scene.listing, "localhost", "/", tmp_path / "neighbour")
    assert [] == [name for name, what in found.items() if what.startswith("read")]
    assert 3 == len(scene.provider.requests)
    scene.provider.requests.clear()


async def test_s2_a_rebound_name_is_shown_nothing(scene: Scene, tmp_path: Path) -> None:
    """A browser that was led here by a stranger's name is shown a 421 on every path (S2)."""
    for path in ("/healthz", "/v1/models"):
        async with browser(tmp_path, "--dump-dom", f"http://{STRANGER}:{scene.closed.port}{path}") as process:
            async with asyncio.timeout(REPORT_S):
                shown, _ = await process.communicate()
        assert b"server.hosts" in shown
