"""
The peers: LiteLLM proxy and Portkey gateway, each with the settings that are kindest to it.

Lives here: how each is installed once into the cache folder, and started on 127.0.0.1. Must not: measure.
Called by round, and by people: `python bench/peers.py [--fresh]` installs them and prints their versions.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import machine
from contenders import PROVIDER_KEY, PROVIDER_MODEL, SAME, TRANSLATED, Contender, Place, Server, Way, python_versions

INSTALL_S_MAX = 1200
READY_S_MAX = 180
"""LiteLLM imports for ten seconds on an idle core, for a minute on a busy one."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """What a peer is installed from: a folder of its own, files written into it, and commands run there, in order."""

    name: str
    files: Mapping[str, str]
    commands: tuple[tuple[str, ...], ...]

    @property
    def folder(self) -> Path:
        """The folder it is installed in, below the cache folder and outside the repository."""
        return machine.cache_folder() / "peers" / self.name

    @property
    def stamp(self) -> Path:
        """The file that holds the recipe once all of it was carried out."""
        return self.folder / "installed.json"

    def recipe(self) -> str:
        """Return the text that says whether an installation is this one."""
        return json.dumps([self.files, self.commands])

    def install(self) -> None:
        """Nothing; it is there, as new as the registry had it when it was installed. BenchError when that fails."""
        if self.stamp.exists() and self.stamp.read_text(encoding="utf-8") == self.recipe():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        print(f"installing {self.name} (once; it may take minutes)", file=sys.stderr, flush=True)
        for name, text in self.files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        for command in self.commands:
            self.run(command)
        self.stamp.write_text(self.recipe(), encoding="utf-8")

    def run(self, command: Sequence[str]) -> None:
        """Nothing; one command of the installation succeeded. BenchError with the end of what it said otherwise."""
        try:
            subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True, timeout=INSTALL_S_MAX)
        except subprocess.CalledProcessError as error:
            last = (error.stderr or error.stdout).strip().rpartition("\n")[2]
            raise machine.BenchError(f"not installed, {Path(command[0]).name} said: {last}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise machine.BenchError(f"not installed: {error}") from error


def peer_env(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment a peer is started in: the search path, a home that ends with the round, its settings."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8", **more}


LITELLM = Package(
    name="litellm",
    files={},
    commands=(
        (sys.executable, "-m", "venv", "venv"),
        ("venv/bin/python", "-m", "pip", "install", "-qq", "--disable-pip-version-check", "litellm[proxy]"),
    ),
)

# One worker, for the one core. Off is what can be: database, spend and error logs, callbacks, retries, cooldowns,
# telemetry, the pages, the look-up of prices over the network. Without a master key it checks no key either.
LITELLM_CONFIG = """
model_list:
  - model_name: {model}
    litellm_params: {{model: openai/{model}, api_base: "http://127.0.0.1:{port}/v1", api_key: {key}, max_retries: 0}}
  - model_name: translated
    litellm_params: {{model: anthropic/{model}, api_base: "http://127.0.0.1:{port}", api_key: {key}, max_retries: 0}}
litellm_settings:
  num_retries: 0
  telemetry: false
  callbacks: []
  set_verbose: false
  disable_streaming_logging: true
  disable_token_counter: true
  disable_end_user_cost_tracking: true
  disable_add_user_agent_to_request_tags: true
router_settings:
  num_retries: 0
  disable_cooldowns: true
general_settings:
  disable_spend_logs: true
  disable_error_logs: true
  disable_budget_reservation: true
"""
LITELLM_ENV = {
    "DISABLE_ADMIN_UI": "True",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # on 127.0.0.1, in front of a fake provider
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",
    "NO_DOCS": "True",
    "NO_REDOC": "True",
}


@contextmanager
def litellm(place: Place) -> Iterator[Server]:
    """Yield the LiteLLM proxy with one worker."""
    port = machine.free_port()
    home = place.folder / f"litellm-{port}"
    home.mkdir()
    config = home / "config.yaml"
    values = {"model": PROVIDER_MODEL, "key": PROVIDER_KEY, "port": place.provider.port}
    config.write_text(LITELLM_CONFIG.format(**values), encoding="utf-8")
    program = LITELLM.folder / "venv" / "bin" / "litellm"
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    ways = {SAME: Way(), TRANSLATED: Way(model="translated")}
    with peer_runs(place, "litellm", command, peer_env(home, LITELLM_ENV), port, ways) as server:
        yield server


def litellm_versions() -> dict[str, str]:
    """Return the version of LiteLLM."""
    found = python_versions(str(LITELLM.folder / "venv" / "bin" / "python"), "litellm")
    return {"LiteLLM": found.get("litellm", "?")}


# From 1.14.2 on its HTTP library makes every stream fail with "TypeError: immutable" (its issue 1389): kindest is the
# newest below that. Its postinstall script only patches what is already patched.
PORTKEY = Package(
    name="portkey",
    files={
        "package.json": json.dumps(
            {
                "private": True,
                "dependencies": {"@portkey-ai/gateway": "*"},
                "overrides": {"@hono/node-server": "<1.14.2"},
            }
        ),
        # It has no option for the address it listens on.
        "loopback.cjs": """
const { Server } = require("node:net");
const listen = Server.prototype.listen;
Server.prototype.listen = function (where, ...rest) {
  const at = typeof where === "object" ? where : { port: where };
  return listen.call(this, { ...at, host: "127.0.0.1" }, ...rest.filter((one) => typeof one === "function"));
};
""",
    },
    commands=(
        ("npm", "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"),
    ),
)
PORTKEY_HEADERS = "x-portkey-provider: {provider}\r\nx-portkey-custom-host: http://127.0.0.1:{port}/v1\r\n"


@contextmanager
def portkey(place: Place) -> Iterator[Server]:
    """Yield the Portkey gateway; where a request goes, and with which key, its client says with each request."""
    port = machine.free_port()
    home = place.folder / f"portkey-{port}"
    home.mkdir()
    program = PORTKEY.folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    preload = str(PORTKEY.folder / "loopback.cjs")
    command = ["node", "--require", preload, str(program), f"--port={port}", "--headless"]
    to = {SAME: "openai", TRANSLATED: "anthropic"}
    ways = {
        way: Way(headers=PORTKEY_HEADERS.format(provider=name, port=place.provider.port)) for way, name in to.items()
    }
    with peer_runs(place, "portkey", command, peer_env(home, {"NODE_ENV": "production"}), port, ways) as server:
        yield server


def portkey_versions() -> dict[str, str]:
    """Return the versions of Portkey and of node."""
    about = PORTKEY.folder / "node_modules" / "@portkey-ai" / "gateway" / "package.json"
    version = json.loads(about.read_text(encoding="utf-8"))["version"] if about.exists() else "?"
    return {"Portkey": version, "node": machine.said(["node", "--version"]).removeprefix("v")}


@contextmanager
def peer_runs(
    place: Place, name: str, command: Sequence[str], env: Mapping[str, str], port: int, ways: Mapping[str, Way]
) -> Iterator[Server]:
    """Yield a peer once it answers; a program that is not there is a BenchError like any other failure."""
    if shutil.which(command[0]) is None:
        raise machine.BenchError(f"{Path(command[0]).name} is not on this machine")
    log = place.log(name)
    with machine.running(command, log, core=machine.SERVER_CORE, env=env) as process:
        server = Server(name=name, port=port, process=process, ways=ways)
        machine.wait_ready(process, port, server.request(), log, READY_S_MAX)
        yield server


PACKAGES = (LITELLM, PORTKEY)
PEERS = (
    Contender(name="litellm", start=litellm, versions=lambda _: litellm_versions(), install=LITELLM.install, warm_s=6),
    Contender(name="portkey", start=portkey, versions=lambda _: portkey_versions(), install=PORTKEY.install, warm_s=10),
)


def main(words: Sequence[str] | None = None) -> int:
    """Return 0 when all peers are installed, 1 when one is not."""
    reader = argparse.ArgumentParser(description="Install the peers of the bench into its cache folder.")
    reader.add_argument("--fresh", action="store_true", help="anew, with the versions the registries have now")
    asked = reader.parse_args(words)
    is_missing = False
    for package in PACKAGES:
        if asked.fresh:
            shutil.rmtree(package.folder, ignore_errors=True)
        try:
            package.install()
        except machine.BenchError as error:
            print(f"{package.name}: {error}", file=sys.stderr)
            is_missing = True
    for name, version in (litellm_versions() | portkey_versions()).items():
        print(name, version)
    return int(is_missing)


if __name__ == "__main__":
    sys.exit(main())
