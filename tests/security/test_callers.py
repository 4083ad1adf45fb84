"""Who is let in: FAULTS section 6, S1 (bind), S2 (Host), S3 (pages), S6 (keys), S8 (revoked), S9 (scopes)."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator

import pytest

from everup.testing import scripts as s
from everup.testing.client import Answer, exchange
from everup.testing.gateway import CHAT, KEY, Gateway, chat_body, config_text
from everup.testing.provider import closed_port
from tests.faults.stage import Stage, open_stage

pytestmark = pytest.mark.anyio

APP_KEY = "eu-app-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
ONE_ROUTE_KEY = "eu-one-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"


def client_table(name: str, key: str, routes: str = "") -> str:
    """Return a client of scope inference, its key by digest."""
    return f'[clients.{name}]\nkey = "sha256:{hashlib.sha256(key.encode()).hexdigest()}"\n{routes}\n'


MORE = client_table("app", APP_KEY) + client_table("one", ONE_ROUTE_KEY, 'routes = ["default"]')
GOOD_HOSTS = ["127.0.0.1", "127.0.0.1:1", "localhost", "LocalHost:9", "[::1]:4400", "10.0.0.7", "[2001:db8::1]"]
STRANGERS = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:4400", "xn--e1a.example"]
NO_HOSTS = ["localhost/?#", "localhost/", "a@localhost", "localhost\\", "local host", "", "[::1", "localhost:x", "a,b"]
WRONG_KEYS = {
    "absent": {},
    "empty": {"authorization": ""},
    "only the scheme": {"authorization": "Bearer"},
    "an empty bearer": {"authorization": "Bearer "},
    "wrong": {"authorization": "Bearer eu-wrong"},
    "another scheme": {"authorization": f"Basic {KEY}"},
    "a prefix": {"authorization": f"Bearer {KEY[:-1]}"},
    "longer": {"authorization": f"Bearer {KEY}x"},
    "other case": {"authorization": f"Bearer {KEY.swapcase()}"},
    "two in one": {"authorization": f"Bearer {KEY}, Bearer {KEY}"},
    "not ASCII": {"authorization": "Bearer \xff\xfe\u00e9"},
    "an array": {"authorization": f'Bearer ["{KEY}"]'},
    "a cookie": {"cookie": f"authorization={KEY}; key={KEY}"},
    "the digest": {"authorization": f"Bearer {hashlib.sha256(KEY.encode()).hexdigest()}"},
}


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup with an admin key, a client of all routes and a client of one."""
    folder = tmp_path_factory.mktemp("callers")
    routes = {"default": ["p/m"], "other": ["p/m"]}
    limits = {"key_guesses_per_minute_max": 100_000}
    async with open_stage(folder, routes, limits=limits, more=MORE) as running:
        yield running


async def ask(stage: Stage, headers: dict[str, str], model: str = "default") -> Answer:
    """Return the answer to a chat request with exactly these headers."""
    given = {"content-type": "application/json", **headers}
    return await exchange(stage.gateway.port, "POST", CHAT, given, chat_body(model))


def bearer(key: str) -> dict[str, str]:
    """Return the header that carries a key."""
    return {"authorization": f"Bearer {key}"}


async def run_to_end(folder_config: str, gateway: Gateway) -> tuple[int, str]:
    """Return exit code and words of a process that must end by itself."""
    gateway.config = folder_config
    with pytest.raises(RuntimeError) as caught:
        async with gateway:
            pass
    return gateway.exit_code or 0, str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
@pytest.mark.parametrize("key", ["short", "eu-" + "a" * 20])
async def test_a_weak_key_does_not_go_on_the_network(
    tmp_path_factory: pytest.TempPathFactory, host: str, key: str
) -> None:
    """On an address others can reach everup refuses to start with a weak key, and says what to do (S1)."""
    port = closed_port()
    text = config_text(port=port, providers={}, routes={}).replace("[server]\n", f'[server]\nhost = "{host}"\n')
    gateway = Gateway(tmp_path_factory.mktemp("bind"), text, port, {"EVERUP_API_KEY": key})
    code, words = await run_to_end(text, gateway)
    assert code not in {0, -9}
    assert "key" in words
    assert key == "short" or key not in words
    assert "Traceback" not in words


@pytest.mark.parametrize("host", GOOD_HOSTS)
async def test_own_names_are_let_in(stage: Stage, host: str) -> None:
    """A Host that is an address or a name of this machine is served, whatever its port (S2)."""
    assert 200 == (await ask(stage, {**bearer(KEY), "host": host})).status


@pytest.mark.parametrize("host", STRANGERS)
async def test_strangers_names_are_told_the_setting(stage: Stage, host: str) -> None:
    """A Host that is a stranger's name gets 421 and the setting's name, before key and path are looked at (S2)."""
    for headers in ({**bearer(KEY), "host": host}, {"host": host}):
        answer = await ask(stage, headers)
        assert 421 == answer.status
        assert "server.hosts" in answer.error["message"]
    assert 421 == (await exchange(stage.gateway.port, "GET", "/healthz", {"host": host})).status


@pytest.mark.parametrize("host", NO_HOSTS)
async def test_what_is_no_host_is_refused(stage: Stage, host: str) -> None:
    """A Host with anything but a name and a port is a 400 (S2, CVE-2026-48710)."""
    assert 400 == (await ask(stage, {**bearer(KEY), "host": host})).status


async def test_two_hosts_or_none_are_refused(stage: Stage) -> None:
    """A request with two Hosts or none is a 400 (S2)."""
    for lines in (b"host: localhost\r\nhost: localhost\r\n", b"host: localhost\r\nHost: evil.example\r\n", b""):
        async with stage.gateway.talk() as talk:
            talk.writer.write(b"GET /healthz HTTP/1.1\r\n" + lines + b"\r\n")
            assert 400 == await talk.read_head()


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    ],
)
async def test_a_page_of_another_origin_can_do_nothing(stage: Stage, headers: dict[str, str]) -> None:
    """A request that a browser sent for a page is refused without a CORS header, even with the right key (S3)."""
    before = len(stage["p"].requests)
    answer = await ask(stage, {**bearer(KEY), **headers})
    assert 403 == answer.status
    assert [] == [name for name in answer.headers if name.startswith("access-control-")]
    assert before == len(stage["p"].requests)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_form_is_no_request(stage: Stage, content_type: str) -> None:
    """Content types that a page may send without asking are refused (S3)."""
    answer = await ask(stage, {**bearer(KEY), "content-type": content_type})
    assert 415 == answer.status


async def test_a_preflight_is_not_answered(stage: Stage) -> None:
    """A preflight for an origin that is not configured gets no permission (S3)."""
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = await exchange(stage.gateway.port, "OPTIONS", CHAT, headers)
    assert answer.status >= 400
    assert [] == [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("kind", WRONG_KEYS)
async def test_only_the_right_key_is_right(stage: Stage, kind: str) -> None:
    """Every other key is a 401 in the client's wire, and no provider hears of it (S6)."""
    before = len(stage["p"].requests)
    answer = await ask(stage, WRONG_KEYS[kind])
    assert 401 == answer.status, answer.body
    assert {"message", "type", "code", "param"} <= set(answer.error)
    assert before == len(stage["p"].requests)


async def test_a_key_in_the_address_is_no_key(stage: Stage) -> None:
    """A key in the query string is not looked at (S6)."""
    target = f"{CHAT}?key={KEY}&api_key={KEY}&access_token={KEY}"
    answer = await exchange(
        stage.gateway.port, "POST", target, {"content-type": "application/json"}, chat_body("default")
    )
    assert 401 == answer.status


@pytest.mark.parametrize(("key", "status"), [(KEY, 200), (APP_KEY, 403), (ONE_ROUTE_KEY, 403), ("eu-wrong", 401)])
@pytest.mark.parametrize("target", ["/status", "/metrics"])
async def test_admin_routes_are_for_admins(stage: Stage, key: str, status: int, target: str) -> None:
    """What shows the gateway's inside needs the scope admin, whatever the client says of itself (S9)."""
    headers = {**bearer(key), "x-everup-scope": "admin", "x-scopes": "admin"}
    assert status == (await exchange(stage.gateway.port, "GET", target, headers)).status


@pytest.mark.parametrize(
    ("key", "model", "status"),
    [
        (APP_KEY, "default", 200),
        (APP_KEY, "other", 200),
        (ONE_ROUTE_KEY, "default", 200),
        (ONE_ROUTE_KEY, "other", 403),
    ],
)
async def test_a_client_stays_on_its_routes(stage: Stage, key: str, model: str, status: int) -> None:
    """A client with a list of routes may use those only (S9)."""
    answer = await ask(stage, bearer(key), model)
    assert status == answer.status or (status, answer.status) == (403, 404)


@pytest.mark.parametrize("target", ["/healthz", "/readyz"])
async def test_health_tells_strangers_a_code_only(stage: Stage, target: str) -> None:
    """Without a key health says its code: no path, no name, no route (ruling 13)."""
    answer = await exchange(stage.gateway.port, "GET", target)
    assert 200 == answer.status
    assert len(answer.body) < 64
    assert not any(word in answer.body for word in (b"/", b"default", b"p/m", b"everup.toml"))


async def run_cli(stage: Stage, *arguments: str) -> tuple[int, str]:
    """Return exit code and output of an everup command beside the running gateway."""
    home = {"HOME": str(stage.gateway.home), "EVERUP_HOME": str(stage.gateway.home)}
    environ = {name: value for name, value in os.environ.items() if "API_KEY" not in name} | home
    command = [sys.executable, "-m", "everup", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode or 0, (out + err).decode()


async def test_a_revoked_key_is_dead_within_a_second(stage: Stage) -> None:
    """Revoking a key ends its open streams with an error within a second or so, and the key opens nothing more (S8)."""
    code, words = await run_cli(stage, "keys", "new", "guest")
    assert 0 == code, words
    key = next(word for word in words.replace('"', " ").split() if word.startswith("eu-"))
    script = s.stream(s.ROLE, s.Send(s.chunk(b"".join(s.texts("tick "))), times=0, pause_s=0.05))
    stage["p"].script(script)
    loop = asyncio.get_running_loop()
    try:
        async with stage.gateway.talk() as talk, asyncio.timeout(15):
            # A new key is known within the same second.
            while True:
                probe = await exchange(stage.gateway.port, "GET", "/v1/models", bearer(key))
                if probe.status == 200:
                    break
                await asyncio.sleep(0.1)
            headers = {"content-type": "application/json", **bearer(key)}
            await talk.send("POST", CHAT, headers, chat_body("default", stream=True))
            assert 200 == await talk.read_head()
            assert await talk.read_some()
            code, words = await run_cli(stage, "keys", "revoke", "guest")
            revoked = loop.time()
            assert 0 == code, words
            rest = await talk.read_rest()
            took_s = loop.time() - revoked
        assert not talk.is_complete
        assert b'"error"' in rest
        assert took_s < 3
        assert 401 == (await exchange(stage.gateway.port, "GET", "/v1/models", bearer(key))).status
    finally:
        stage["p"].script(s.reply("Hello"))
