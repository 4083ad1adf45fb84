"""
Who takes part in a round: one row each, with how it is started.

Lives here: the fake provider, everup and what it is measured against. Must not: measure, install (see peers).
Called by round, measures, peers and load_bars.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import machine

PROVIDER_MODEL = "bench-model"
PROVIDER_KEY = "sk-bench-upstream"
EVERUP_KEY = "eu-" + "bench0" * 8
PATH = "/v1/chat/completions"
PROMPT = "Say in a few plain sentences what a gateway between an application and a model provider is good for. " * 10
STREAM_CONCURRENCY = 20_000
SAME, TRANSLATED = "same wire", "translated"
"""The ways to the provider: in the client's own format, or in Anthropic's."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """What a request must name to go one way to the provider: a model, and header lines that end in CRLF."""

    model: str = PROVIDER_MODEL
    headers: str = ""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A contender that runs: where it listens, the ways it offers, and the key it wants."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    ways: Mapping[str, Way] = field(default_factory=lambda: {SAME: Way()})
    key: str = PROVIDER_KEY

    def request(
        self,
        *,
        stream: bool = False,
        delay_ms: int = 0,
        interval_ms: int = 0,
        chunks: int = 200,
        way: str = SAME,
        model: str = "",
    ) -> bytes:
        """Return the bytes of one chat request; what the provider is to do stands in the first message."""
        wish = f"bench:delay={delay_ms},interval={interval_ms},chunks={chunks}"
        body = json.dumps(
            {
                "model": model or self.ways[way].model,
                "messages": [
                    # Some gateways leave out fields such as "user" for a model they do not know; a message, none.
                    {"role": "system", "content": f"You answer briefly. {wish}"},
                    {"role": "user", "content": PROMPT},
                ],
                "temperature": 0.2,
                "max_tokens": 200,
                "stream": stream,
                "user": "bench",
            },
            separators=(",", ":"),
        ).encode()
        head = (
            f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\nauthorization: Bearer {self.key}\r\n"
            f"content-type: application/json\r\naccept: */*\r\nuser-agent: bench\r\n{self.ways[way].headers}"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a round happens: its folder, the provider, the interpreter that runs everup."""

    folder: Path
    provider: Server
    python: str

    def log(self, name: str) -> Path:
        """Return the log file of one process."""
        return self.folder / f"{name}.log"


@contextmanager
def provider(folder: Path) -> Iterator[Server]:
    """Yield the fake provider, on the load's core."""
    port = machine.free_port()
    command = [machine.compiled("provider"), str(port), PROVIDER_MODEL, PROVIDER_KEY]
    log = folder / "provider.log"
    with machine.running(command, log, core=machine.LOAD_CORE) as process:
        server = Server(name="direct", port=port, process=process)
        machine.wait_ready(process, port, server.request(), log)
        yield server


def provider_counts(port: int) -> dict[str, int]:
    """Return what the provider has counted so far."""
    answer = machine.exchange(port, b"GET /stats HTTP/1.1\r\nhost: bench\r\n\r\n")
    counts: dict[str, int] = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    return counts


@contextmanager
def direct(place: Place) -> Iterator[Server]:
    """Yield the provider itself: the floor that everything in between adds to."""
    yield place.provider


NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error; {user}
worker_rlimit_nofile {files};
events {{ worker_connections 65536; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream provider {{ server 127.0.0.1:{provider_port}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096; keepalive_requests 1000000000;
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""


@contextmanager
def nginx(place: Place) -> Iterator[Server]:
    """Yield nginx as a reverse proxy that reads no JSON: the yardstick for what moving the bytes costs."""
    port = machine.free_port()
    config = place.folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    values = {"folder": place.folder, "port": port, "provider_port": place.provider.port, "user": user}
    config.write_text(NGINX.format(files=min(machine.files_max(), 65_536), **values), encoding="utf-8")
    command = ["nginx", "-e", "stderr", "-p", str(place.folder), "-c", str(config)]
    with machine.running(command, place.log("nginx"), core=machine.SERVER_CORE) as process:
        server = Server(name="nginx", port=port, process=process)
        machine.wait_ready(process, port, server.request(), place.log("nginx"))
        yield server


EVERUP = """
[server]
port = {port}

[providers.bench]
wire = "openai_chat"
base_url = "http://127.0.0.1:{provider_port}/v1"
concurrency = {concurrency}
profiles = [{{ id = "bench", key = "env:BENCH_UPSTREAM_KEY" }}]

[providers.translated]
wire = "anthropic"
base_url = "http://127.0.0.1:{provider_port}/v1"
concurrency = {concurrency}
profiles = [{{ id = "bench", key = "env:BENCH_UPSTREAM_KEY" }}]

[routes.default]
try = ["bench/{model}"]

[routes.translated]
try = ["translated/{model}"]
"""


def everup_config(port: int, provider_port: int, more: str = "") -> str:
    """Return the configuration a user would write for two providers, with room for a crowd of streams."""
    values = {"provider_port": provider_port, "model": PROVIDER_MODEL, "concurrency": STREAM_CONCURRENCY}
    return EVERUP.format(port=port, **values) + more


def everup_env(home: Path) -> dict[str, str]:
    """Return the environment everup is started in: the user's paths, no real key."""
    kept = ("PATH", "HOME", "LANG", "PYTHONPATH", "TMPDIR")
    own = {"EVERUP_HOME": str(home), "EVERUP_API_KEY": EVERUP_KEY, "BENCH_UPSTREAM_KEY": PROVIDER_KEY}
    return {name: os.environ[name] for name in kept if name in os.environ} | own


@contextmanager
def everup(place: Place, more_config: str = "") -> Iterator[Server]:
    """Yield everup, started as a user starts it."""
    port = machine.free_port()
    home = place.folder / f"everup-{port}"
    home.mkdir()
    config = home / "bench.toml"
    config.write_text(everup_config(port, place.provider.port, more_config), encoding="utf-8")
    command = [place.python, "-m", "everup", "run", "--config", str(config)]
    log = place.log("everup")
    with machine.running(command, log, core=machine.SERVER_CORE, env=everup_env(home)) as process:
        ways = {SAME: Way(model="default"), TRANSLATED: Way(model="translated")}
        server = Server(name="everup", port=port, process=process, ways=ways, key=EVERUP_KEY)
        machine.wait_ready(process, port, server.request(), log)
        yield server


VERSIONS = (
    "import importlib.metadata as m, json, platform, sys; print(json.dumps({'Python': platform.python_version()} | {\
d.name: d.version for d in m.distributions() if d.name in sys.argv[1:]}))"
)


def python_versions(python: str, *names: str) -> dict[str, str]:
    """Return the version of an interpreter and of those of the distributions that it has."""
    versions: dict[str, str] = json.loads(machine.said([python, "-c", VERSIONS, *names]) or "{}")
    return versions


def everup_versions(place: Place) -> dict[str, str]:
    """Return the versions of everup and of what it runs on."""
    words = machine.said([place.python, "-m", "everup", "version"], env=everup_env(place.folder)).split()
    return {"everup": words[1] if words[:1] == ["everup"] else "?"} | python_versions(place.python, "uvloop")


def nginx_versions() -> dict[str, str]:
    """Return the version of nginx."""
    return {"nginx": machine.said(["nginx", "-v"]).rpartition("/")[2].split(" ")[0]}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A row of the table: its name, how it is started, the programs it needs, how it tells its versions."""

    name: str
    start: Callable[[Place], AbstractContextManager[Server]]
    programs: tuple[str, ...] = ()
    versions: Callable[[Place], dict[str, str]] = lambda _: {}
    install: Callable[[], None] = lambda: None
    """What must have been done once before it can start."""
    warm_s: float = 0
    """How long it works before it counts: for those that compile while they run."""


CONTENDERS = (
    Contender(name="direct", start=direct),
    Contender(name="everup", start=everup, versions=everup_versions),
    Contender(name="nginx", start=nginx, programs=("nginx",), versions=lambda _: nginx_versions()),
)
