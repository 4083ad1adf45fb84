"""
What befell others: one regression test for each published advisory that could apply to what everup has.

A test names its advisories in its docstring. Those about things everup does not have yet stand in `LATER`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path

import pytest

from everup.shapes.limits import Limits
from everup.shapes.snapshot import ClientScope
from everup.testing import scripts as s
from everup.testing.client import exchange
from everup.testing.gateway import CHAT, KEY, chat_body
from everup.testing.provider import ScriptedProvider
from tests.faults.stage import Stage, open_stage
from tests.surfaces.scene import ADMIN, House, Said, gateway, make_client, make_snapshot
from tests.surfaces.scene import KEY as ADMIN_KEY

pytestmark = pytest.mark.anyio

LATER = {
    "CVE-2026-25253": "no user interface: the step that builds one (S4, S5)",
    "GHSA-rqpp-rjj8-7wv8 over WebSocket": "no WebSocket: the step that opens one (S4, S9)",
    "CVE-2026-25593": "no configuration by API: the step that adds it (S9, S20)",
    "CVE-2026-42271": "no MCP: never, or the step that adds it (S20)",
    "CVE-2026-30623": "no MCP: never, or the step that adds it (S20)",
    "CVE-2026-28482": "no sessions: the step that keeps conversations (S14)",
    "CVE-2026-28459": "no sessions: the step that keeps conversations (S14)",
    "GHSA-xh72-v6v9-mwhc": "no webhooks: never, or the step that adds them (S22)",
    "GHSA-2gvc-4f3c-2855": "no webhooks: never, or the step that adds them (S22)",
}
"""What cannot befall everup yet, and when its test is owed."""
HERE = (
    "CVE-2026-48710",
    "CVE-2026-49468",
    "CVE-2024-6587",
    "CVE-2026-26322",
    "GHSA-mr34-9552-qr95",
    "GHSA-5847-rm3g-23mw",
    "PR #57647",
    "CVE-2026-28472",
    "GHSA-rqpp-rjj8-7wv8",
    "CVE-2026-42208",
    "CVE-2026-35030",
    "GHSA-m8wm-r5vq-qjpg",
    "OpenClaw 2026.3.28",
    "CVE-2025-43859",
    "CVE-2025-69229",
    "LiteLLM 1.82.7",
    "CVE-2024-53981",
)
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
CHUNKED = HEAD + b"authorization: Bearer " + KEY.encode() + b"\r\ntransfer-encoding: chunked\r\n\r\n"
GUESSES_MAX = 5
FEW = make_snapshot(Limits(key_guesses_per_minute_max=GUESSES_MAX))
NOT_SHIPPED = ("python-multipart", "multipart", "starlette", "fastapi", "aiohttp", "httpx", "requests", "litellm")
STARTERS = ("sitecustomize.py", "usercustomize.py")
LOCKED = re.compile(r"^([a-z0-9._-]+)==", re.MULTILINE)


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup for this module."""
    limits = {"key_guesses_per_minute_max": 100_000}
    async with open_stage(tmp_path_factory.mktemp("advisories"), {"default": ["p/m"]}, limits=limits) as running:
        yield running


@pytest.mark.parametrize(
    "host", ["localhost/healthz?", "localhost/healthz#", "localhost?/healthz", "localhost\\healthz"]
)
async def test_a_host_moves_no_path(stage: Stage, host: str) -> None:
    """A Host that holds a path is refused: the raw path alone decides (CVE-2026-48710, CVE-2026-49468)."""
    for target in ("/status", "/metrics", "/v1/models"):
        for headers in ({}, stage.gateway.headers()):
            answer = await exchange(stage.gateway.port, "GET", target, {**headers, "host": host})
            assert 400 == answer.status


@pytest.mark.parametrize(
    "target",
    [
        "/healthz/../status",
        "/healthz/..%2fstatus",
        "/healthz;/../status",
        "/healthz%2f..%2fstatus",
        "//status",
        "/./status",
        "/%73tatus",
        "/STATUS",
        "/status/",
        "/status?/healthz",
        "/status;/healthz",
        "http://localhost/status",
        "http://localhost/healthz/../status",
    ],
)
async def test_no_spelling_of_a_path_needs_less_of_a_key(stage: Stage, target: str) -> None:
    """However an admin route is written, without a key it shows nothing (CVE-2026-48710, CVE-2026-49468)."""
    answer = await exchange(stage.gateway.port, "GET", target, {"host": "localhost"})
    assert answer.status in {400, 401, 404}
    assert b"candidates" not in answer.body


@pytest.mark.parametrize("place", ["top", "metadata", "litellm_params", "extra_body", "provider", "tools"])
async def test_a_body_names_no_upstream(stage: Stage, place: str) -> None:
    """Wherever a body names another upstream, nobody connects to it, key or no key (CVE-2024-6587)."""
    async with ScriptedProvider() as capture:
        names = ("api_base", "base_url", "api_url", "endpoint", "gatewayUrl", "proxy")
        given: dict[str, object] = dict.fromkeys(names, capture.base_url)
        fields = given if place == "top" else {place: [given] if place == "tools" else given}
        answer = await stage.gateway.ask("default", **fields)
        assert answer.status in {200, 400}
        assert 0 == capture.connections
    assert {"key-of-p"} >= {request.key for request in stage["p"].requests}


async def test_addresses_in_messages_are_not_fetched(stage: Stage) -> None:
    """Images and files are passed on as they are named, never fetched here (CVE-2026-26322, GHSA-mr34-9552-qr95)."""
    async with ScriptedProvider() as capture:
        for url in (f"{capture.base_url}/a.png", "file:///etc/passwd", "\\\\127.0.0.1\\share\\a.png", "/etc/passwd"):
            parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "file", "file": {"file_data": url}}]
            answer = await stage.gateway.ask("default", messages=[{"role": "user", "content": parts}])
            assert b"root:" not in answer.body
            if answer.status == 200:
                assert b"root:" not in stage["p"].requests[-1].body
                assert url in stage["p"].requests[-1].json["messages"][0]["content"][0]["image_url"]["url"]
        assert 0 == capture.connections


async def guess_from(house: House, address: str, headers: dict[str, str]) -> int:
    """Return the status that a request from an address gets, asked below the socket."""
    said: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        said.append(message)

    async def receive() -> dict[str, object]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    listed = [(name.encode(), value.encode("latin-1")) for name, value in {"host": "localhost", **headers}.items()]
    scope = {"type": "http", "method": "GET", "raw_path": b"/v1/models", "headers": listed, "client": (address, 1)}
    await house.application(scope, receive, send)
    return int(str(said[0]["status"]))


@pytest.mark.parametrize(
    ("first", "others"),
    [
        ("10.0.0.1", ["::ffff:10.0.0.1", "::ffff:a00:1", "0:0:0:0:0:ffff:0a00:0001"]),
        ("::ffff:10.0.0.1", ["10.0.0.1", "::FFFF:10.0.0.1"]),
        ("2001:db8::1", ["2001:db8::2", "2001:db8:0:0:ffff::9", "2001:0db8:0000:0000:0000:0000:0000:0003"]),
    ],
)
async def test_an_address_has_one_spelling(first: str, others: list[str]) -> None:
    """Guesses are counted for an address however it is written, IPv4-mapped or not, by /64 (GHSA-5847-rm3g-23mw)."""
    wrong = {"authorization": "Bearer eu-wrong"}
    async with gateway(snapshot=FEW) as house:
        assert [401] * GUESSES_MAX == [await guess_from(house, first, wrong) for _ in range(GUESSES_MAX)]
        assert {429} == {await guess_from(house, each, wrong) for each in [first, *others]}
        assert 401 == await guess_from(house, "10.0.0.2", wrong)
        assert 200 == await guess_from(house, others[0], {"authorization": f"Bearer {ADMIN_KEY}"})


BOGUS = (
    {"x-api-key": "bogus", "authorization": "Bearer wrong"},
    {"authorization": "Bearer wrong", "cookie": "session=bogus", "x-device-token": "bogus"},
    {"authorization": "Bearer wrong", "proxy-authorization": f"Bearer {ADMIN_KEY}", "x-forwarded-for": "10.1.1.1"},
    {"authorization": "Basic bogus", "x-api-key": ADMIN_KEY},
    {"x-api-key": "bogus"},
    {"authorization": "Bearer", "x-openclaw-token": "bogus"},
    {"authorization": "Digest bogus", "x-gateway-password": "bogus"},
    {"authorization": "Bearer wrong", "x-auth-request-user": "admin", "x-remote-user": "admin"},
)


async def test_a_bogus_credential_helps_nobody() -> None:
    """Whatever else is presented beside it, a wrong key is wrong and counted (PR #57647, CVE-2026-28472)."""
    async with gateway(snapshot=FEW) as house:
        statuses = [(await house.ask("GET", "/status", headers=each, key=None)).status for each in BOGUS[:GUESSES_MAX]]
        assert [401] * GUESSES_MAX == statuses
        assert {429} == {(await house.ask("GET", "/status", headers=each, key=None)).status for each in BOGUS}
        assert 200 == (await house.ask("GET", "/status")).status


async def test_a_client_does_not_say_its_own_scope() -> None:
    """A scope is the key's, whatever headers, address and body claim (GHSA-rqpp-rjj8-7wv8, CVE-2026-28472)."""
    small = make_client("small", "eu-small", ClientScope.INFERENCE)
    claims = {"x-scopes": "admin", "x-everup-scope": "admin", "x-role": "operator.admin", "x-everup-client": "own"}
    async with gateway() as house:
        house.keys.refresh((ADMIN, small))
        for target in ("/status", "/status?scope=admin&scopes=operator.admin", "/metrics"):
            assert 403 == (await house.ask("GET", target, headers=claims, key="eu-small")).status
        assert 401 == (await house.ask("GET", "/status", headers=claims, key=None)).status


EVIL_KEYS = (
    "' OR '1'='1",
    "'; DROP TABLE keys; --",
    '" OR ""="',
    "sk-' UNION SELECT key FROM keys --",
    "\\'); --",
    "%' OR 1=1 --",
    "{0.__class__} %s %(key)s ${jndi:ldap://x} {{7*7}} `id` $(id)",
    "\xff\xfe'\xa0",
    "a" * 4000 + "'",
    "../../key",
)


async def test_quotes_in_a_key_are_only_wrong(stage: Stage) -> None:
    """A key of quotes and templates is a plain 401 that repeats nothing of it, in answer or log (CVE-2026-42208)."""
    expected = (await exchange(stage.gateway.port, "GET", "/v1/models", {"authorization": "Bearer wrong"})).body
    for key in EVIL_KEYS:
        for headers in ({"authorization": f"Bearer {key}"}, {"authorization": key}, {"x-api-key": key}):
            for method, target in (("GET", "/v1/models"), ("POST", CHAT), ("GET", "/status")):
                given = {"content-type": "application/json", **headers}
                answer = await exchange(stage.gateway.port, method, target, given, chat_body("default"))
                assert (401, expected) == (answer.status, answer.body)
    assert 200 == (await stage.gateway.ask("default")).status
    await asyncio.sleep(0.2)
    assert [] == [word for word in ("DROP TABLE", "UNION SELECT", "jndi", "Traceback") if word in stage.gateway.err]


@pytest.mark.parametrize("shared", [4, 20, 32, 49])
async def test_keys_that_begin_alike_are_two(shared: int) -> None:
    """Keys with the same first letters are told apart, just after one another too (CVE-2026-35030)."""
    stem = ("eu-" + "k" * 60)[:shared]
    admin, small = stem + "A" * 20, stem + "B" * 20
    async with gateway() as house:
        ring = (make_client("a", admin, ClientScope.ADMIN), make_client("b", small, ClientScope.INFERENCE))
        house.keys.refresh(ring)
        for _ in range(3):
            assert 200 == (await house.ask("GET", "/status", key=admin)).status
            assert 403 == (await house.ask("GET", "/status", key=small)).status
            for wrong in (stem, stem + "A" * 19, stem + "A" * 21, stem + "C" * 20, admin.upper()):
                assert 401 == (await house.ask("GET", "/status", key=wrong)).status


async def test_an_old_key_ends_with_its_rotation() -> None:
    """Once replaced a key opens nothing, on a kept connection either (GHSA-m8wm-r5vq-qjpg, OpenClaw 2026.3.28)."""
    head = b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %b\r\n"
    async with gateway() as house:
        house.keys.refresh((ADMIN, make_client("app", "eu-old", ClientScope.INFERENCE)))
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(head % b"eu-old" + b"\r\n")
        assert b"HTTP/1.1 200 OK\r\n" == await reader.readline()
        house.keys.refresh((ADMIN, make_client("app", "eu-new", ClientScope.INFERENCE)))
        writer.write(head % b"eu-old" + b"connection: close\r\n\r\n")
        rest = await reader.read()
        writer.close()
        assert 401 == Said(rest[rest.index(b"HTTP/1.1 401") :]).status
        assert [401, 200] == [(await house.ask("GET", "/v1/models", key=key)).status for key in ("eu-old", "eu-new")]


BODY = chat_body("default")
SIZE = b"%x\r\n" % len(BODY)
TERMINATORS = {
    "two letters for a line end": SIZE + BODY + b"XX0\r\n\r\n",
    "none": SIZE + BODY + b"0\r\n\r\n",
    "a line feed": SIZE + BODY + b"\n0\r\n\r\n",
    "a carriage return and a letter": SIZE + BODY + b"\rX0\r\n\r\n",
    "line end turned round": SIZE + BODY + b"\n\r0\r\n\r\n",
    "a size line of a line feed": SIZE.replace(b"\r", b"") + BODY + b"\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("kind", TERMINATORS)
async def test_a_chunk_ends_with_a_line_end(stage: Stage, kind: str) -> None:
    """A chunk that ends with anything but CRLF is refused from a client, with what follows it (CVE-2025-43859)."""
    before = len(stage["p"].requests)
    async with stage.gateway.talk() as talk, asyncio.timeout(10):
        talk.writer.write(CHUNKED + TERMINATORS[kind] + CHUNKED + SIZE + BODY + b"\r\n0\r\n\r\n")
        said = await talk.reader.read()
    assert said.startswith(b"HTTP/1.1 400 ")
    assert 1 == len(re.findall(rb"HTTP/1\.1 \d", said))
    assert before == len(stage["p"].requests)


@pytest.mark.parametrize("end", [b"XX", b"", b"\rX"])
async def test_a_providers_chunk_ends_with_a_line_end(tmp_path: Path, end: bytes) -> None:
    """A provider's chunk that ends with anything but CRLF is a fault, never content (CVE-2025-43859)."""
    head = s.head(200, {"content-type": "application/json", "transfer-encoding": "chunked"})
    answer = s.chat_json("smuggled")
    async with open_stage(tmp_path, {"default": ["p/m", "q/m"]}) as stage:
        stage["p"].script(s.raw(head + b"%x\r\n" % len(answer) + answer + end + b"0\r\n\r\n", s.Close()))
        said = await stage.gateway.ask("default")
    assert (200, "Hello", "q/m") == (said.status, said.text, said.headers["x-everup-model"])


@pytest.mark.long
async def test_a_body_in_single_bytes_holds_up_nobody(stage: Stage) -> None:
    """While a body arrives in chunks of one byte others are answered, and it is answered too (CVE-2025-69229)."""
    body = chat_body("default", messages=[{"role": "user", "content": "a" * 300_000}])
    data = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    async with stage.gateway.talk() as talk, asyncio.timeout(60):

        async def pour() -> int:
            talk.writer.write(CHUNKED)
            for start in range(0, len(data), 60_000):
                talk.writer.write(data[start : start + 60_000])
                await talk.writer.drain()
            return await talk.read_head()

        pouring = asyncio.create_task(pour())
        others = []
        while not pouring.done():
            others.append(await exchange(stage.gateway.port, "GET", "/healthz"))
        assert 200 == await pouring
    assert {200} == {answer.status for answer in others}
    assert len(others) > 2
    assert max(answer.total_s for answer in others) < 5
    assert json.loads(body)["messages"] == stage["p"].requests[-1].json["messages"]


def run_time_packages(root: Path) -> list[str]:
    """Return the names of the packages that users get."""
    return LOCKED.findall((root / "requirements" / "run.lock").read_text(encoding="utf-8"))


def test_no_package_runs_by_being_there(root: Path) -> None:
    """None of the packages that users get, nor the tree, has a .pth file, which Python would run (LiteLLM 1.82.7)."""
    found, seen = [], 0
    for name in run_time_packages(root):
        try:
            files = metadata.files(name) or []
        except metadata.PackageNotFoundError:  # of another platform
            continue
        seen += 1
        found += [str(path) for path in files if path.suffix == ".pth" or path.name in STARTERS]
    assert [] == found
    assert seen > 5
    assert [] == [path for path in (root / "src").rglob("*") if path.suffix == ".pth" or path.name in STARTERS]


def test_what_had_the_faults_is_not_shipped(root: Path) -> None:
    """No multipart parser and no web framework is among what users get; h11 is past its fault (CVE-2024-53981)."""
    lock = (root / "requirements" / "run.lock").read_text(encoding="utf-8")
    assert [] == [name for name in run_time_packages(root) if name in NOT_SHIPPED]
    h11 = re.search(r"^h11==(\d+)\.(\d+)", lock, re.MULTILINE)
    assert h11 is None or (0, 16) <= (int(h11[1]), int(h11[2]))


def test_every_advisory_has_its_place() -> None:
    """Each advisory that applies now is named by a test here, and none of these waits for later."""
    told = " ".join(
        str(each.__doc__) for name, each in globals().items() if name.startswith("test_") and callable(each)
    )
    assert [] == [name for name in HERE if name not in told]
    assert not set(HERE) & set(LATER)
