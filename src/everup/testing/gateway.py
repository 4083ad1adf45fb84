"""
A whole everup as a child process, and the configuration it runs with.

What must not live here: answers of providers (see `scripts`) or assertions about them. Real clock only: another
process's time cannot jump. Used by tests with `async with Gateway(config, home) as gateway`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from everup.testing.client import Answer, Conversation, conversation, exchange
from everup.testing.clock import until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

KEY = "eu-test-0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
START_S = 15.0
STOP_S = 15.0
POLL_S = 0.02
CHAT = "/v1/chat/completions"
ADDRESS = re.compile(r"^ *address +http://127\.0\.0\.1:(\d+)/v1$", re.MULTILINE)
"""How the process says where it listens."""
KEPT_ENVIRONMENT = ("PATH", "PYTHONPATH", "SYSTEMROOT", "LANG", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV")
"""What a child gets of our environment: nothing that holds a key or names a home."""


def toml_value(value: object) -> str:
    """Return a value as TOML; JSON's strings, numbers and booleans are TOML's too."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {toml_value(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(each) for each in value) + "]"
    return json.dumps(value)


def config_text(
    *,
    port: int = 0,
    providers: Mapping[str, Mapping[str, object] | str],
    routes: Mapping[str, Sequence[str] | Mapping[str, object]],
    limits: Mapping[str, float] | None = None,
    models: Mapping[str, Mapping[str, object]] | None = None,
    more: str = "",
) -> str:
    """
    Return a configuration file.

    A provider given as a text is its base URL, with the wire `openai_chat` and one literal key; a route given
    as a list is its chain. Everything else is written as it stands.
    """
    tables: list[tuple[str, Mapping[str, object]]] = [("server", {"port": port}), ("limits", limits or {})]
    tables += [(f"providers.{json.dumps(name)}", provider_row(name, given)) for name, given in providers.items()]
    tables += [(f"models.{json.dumps(name)}", row) for name, row in (models or {}).items()]
    tables += [(f"routes.{json.dumps(name)}", route_row(given)) for name, given in routes.items()]
    lines = []
    for name, table in tables:
        lines += [f"[{name}]", *(f"{key} = {toml_value(value)}" for key, value in table.items()), ""]
    return "\n".join(lines) + more


def provider_row(name: str, given: Mapping[str, object] | str) -> dict[str, object]:
    """Return a provider's table: the wire and a key filled in where it names none."""
    row: dict[str, object] = {"wire": "openai_chat", "profiles": [{"id": "default", "key": f"key-of-{name}"}]}
    return {**row, "base_url": given} if isinstance(given, str) else {**row, **given}


def route_row(given: Sequence[str] | Mapping[str, object]) -> Mapping[str, object]:
    """Return a route's table."""
    return given if isinstance(given, Mapping) else {"try": list(given)}


class Gateway:
    """
    One everup process on a port of its own.

    `config` is the file's text, or None for a first run without one. It must name the same `port`; with 0 the
    process takes a free one and says which. What it prints goes to `out` and `err` in `folder`.
    """

    def __init__(
        self, folder: Path, config: str | None, port: int = 0, environ: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.config = config
        self.port = port
        self.environ = dict(environ or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.exit_code: int | None = None

    @property
    def home(self) -> Path:
        """Return the process's home."""
        return self.folder / "home"

    @property
    def err(self) -> str:
        """Return what it has written on stderr so far."""
        return (self.folder / "err").read_text(encoding="utf-8", errors="replace")

    @property
    def out(self) -> str:
        """Return what it has written on stdout so far."""
        return (self.folder / "out").read_text(encoding="utf-8", errors="replace")

    @property
    def url(self) -> str:
        """Return the base URL an OpenAI client is given."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self, *arguments: str) -> None:
        """The process runs (see `ready`)."""
        self.home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "everup", "run", *arguments]
        if self.config is not None:
            file = self.folder / "everup.toml"
            file.write_text(self.config, encoding="utf-8")
            command += ["--config", str(file)]
        kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        if "PYTHONPATH" in kept:  # the child's working folder is another one
            kept["PYTHONPATH"] = os.pathsep.join(
                str(Path(each).absolute()) for each in kept["PYTHONPATH"].split(os.pathsep)
            )
        own = {"HOME": str(self.home), "EVERUP_HOME": str(self.home), "EVERUP_API_KEY": KEY}
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            self.process = subprocess.Popen(  # noqa: S603  (our own program, arguments from the test)
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**kept, **own, **self.environ},
                cwd=self.folder,
            )

    async def ready(self) -> None:
        """
        Return once /healthz answers 200.

        `RuntimeError` with the process's own words if it does not.
        """
        try:
            async with asyncio.timeout(START_S):
                while not await self.is_healthy():
                    if self.process is not None and self.process.poll() is not None:
                        raise RuntimeError(f"everup ended with {self.process.returncode}:\n{self.err}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise RuntimeError(f"everup was not ready within {START_S} s:\n{self.err}") from None

    async def is_healthy(self) -> bool:
        """Return whether it answers now."""
        if not self.port and (told := ADDRESS.search(self.err + self.out)):
            self.port = int(told[1])
        try:
            return self.port > 0 and (await exchange(self.port, "GET", "/healthz", within_s=2)).status == 200
        except (OSError, asyncio.IncompleteReadError):
            return False

    async def stop(self) -> int:
        """
        Return the exit code after SIGTERM.

        A process that stays is killed and counts as -9.
        """
        process = self.process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            await until(lambda: process.poll() is not None, STOP_S)
        except TimeoutError:
            process.kill()
        self.exit_code = process.wait()
        self.process = None
        return self.exit_code

    async def __aenter__(self) -> Self:
        """Return itself, ready."""
        self.start()
        try:
            await self.ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The process has ended, by itself and with 0 unless the test has failed already."""
        code = await self.stop()
        if kind is None and code != 0:
            raise RuntimeError(f"everup ended with {code} after SIGTERM:\n{self.err}")

    def headers(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the headers of a request with the right key."""
        return {"authorization": f"Bearer {KEY}", "content-type": "application/json", **(more or {})}

    async def ask(
        self, model: str, *, headers: Mapping[str, str] | None = None, within_s: float = 15.0, **fields: Any
    ) -> Answer:
        """
        Return the whole answer to a chat request.

        Without `messages` it says one fixed line.
        """
        body = chat_body(model, **fields)
        return await exchange(self.port, "POST", CHAT, self.headers(headers), body, within_s=within_s)

    async def get(self, target: str, *, is_keyed: bool = True) -> Answer:
        """Return the answer to a GET."""
        return await exchange(self.port, "GET", target, self.headers() if is_keyed else {})

    def talk(self, *, receive_buffer_bytes: int = 0) -> AbstractAsyncContextManager[Conversation]:
        """A connection to it, to be read at one's own pace."""
        return conversation(self.port, receive_buffer_bytes=receive_buffer_bytes)

    async def begin(self, talk: Conversation, model: str, **fields: Any) -> None:
        """A chat request is on its way on this connection."""
        await talk.send("POST", CHAT, self.headers(), chat_body(model, **fields))


def chat_body(model: str, **fields: Any) -> bytes:
    """
    Return the bytes of a chat request.

    Every call with the same arguments gives the same bytes.
    """
    messages = fields.pop("messages", [{"role": "user", "content": "Say hello to row one."}])
    return json.dumps({"model": model, "messages": messages, **fields}).encode()
