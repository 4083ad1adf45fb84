"""`everup run` as a person starts it, and the other commands against it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from everup.cli.run import program
from everup.testing.clock import until
from everup.testing.gateway import KEY, Gateway, config_text
from everup.testing.provider import ScriptedProvider, closed_port
from everup.testing.scripts import ROLE, Reset, error, reply, stream, texts
from tests.cli.conftest import Done

SCRIPTS = {
    "good": (reply("Rh", "ine"),),
    "busy": (error(529, "overloaded_error", None, "Overloaded"),),
    "cut": (stream(ROLE, *texts("Half"), Reset()),),
}
ROUTES = {"default": ["one/busy", "one/good"], "cut": ["one/cut"]}


async def command(gateway: Gateway, *arguments: str, **variables: str) -> Done:
    """Return what a command leaves behind that is told where a gateway is."""
    environ = {**os.environ, "EVERUP_HOME": str(gateway.home), "EVERUP_URL": gateway.url, "EVERUP_API_KEY": KEY}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "everup",
        *arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environ, **variables},
    )
    out, err = await process.communicate()
    return Done(process.returncode or 0, out.decode(), err.decode())


@pytest.mark.anyio
async def test_a_whole_session(tmp_path: Path) -> None:
    """Started with a config file it shows the table, and every command that asks it gets its answer."""
    port = closed_port()
    async with ScriptedProvider(SCRIPTS, models=("good", "busy", "cut")) as provider:
        config = config_text(port=port, providers={"one": provider.base_url}, routes=ROUTES)
        async with Gateway(tmp_path, config, port) as gateway:
            await until(lambda: "In another terminal" in gateway.err)
            answered = await command(gateway, "chat", "Name a river.", "--trail")
            whole = await command(gateway, "chat", "Name a river.", "--no-stream", "-m", "one/good")
            cut = await command(gateway, "chat", "Name a river.", "-m", "cut")
            models = await command(gateway, "models")
            status = await command(gateway, "status")
            view = json.loads((await command(gateway, "status", "--json")).out)
            unknown = await command(gateway, "chat", "x", "-m", "defalt")
            refused = await command(gateway, "status", EVERUP_API_KEY="eu-wrong")
        started = gateway.err
    assert f"address  http://127.0.0.1:{port}/v1" in started
    assert "default  one/busy, then one/good" in started
    assert "env --config " in started
    assert (0, "Rhine\n") == (answered.code, answered.out)
    assert answered.err.startswith("[one/good]\n[trail: one/busy=overloaded 529 (")
    assert (0, "Rhine\n") == (whole.code, whole.out)
    assert (1, "Half\n") == (cut.code, cut.out)
    assert "the answer is incomplete: " in cut.err
    assert {"default", "cut", "one/good"} < {line.split()[0] for line in models.out.splitlines()}
    assert "one/busy" in status.out
    assert {"one/busy", "one/good", "one/cut"} == {each["candidate"] for each in view["candidates"]}
    assert 1 == unknown.code
    assert "default" in unknown.err
    assert 4 == refused.code


@pytest.mark.anyio
async def test_a_client_key_from_birth_to_death(tmp_path: Path) -> None:
    """A new key works within a second, may not read the state, and is dead within a second of its revocation."""
    port = closed_port()
    async with ScriptedProvider(SCRIPTS, models=("good",)) as provider:
        config = config_text(port=port, providers={"one": provider.base_url}, routes={"default": ["one/good"]})
        async with Gateway(tmp_path, config, port) as gateway:
            key = (await command(gateway, "keys", "new", "laptop")).out.strip()
            assert 0 == await settled(gateway, key, 0)
            assert 4 == (await command(gateway, "status", EVERUP_API_KEY=key)).code
            assert 0 == (await command(gateway, "keys", "revoke", "laptop")).code
            assert 4 == await settled(gateway, key, 4)


async def settled(gateway: Gateway, key: str, wanted: int) -> int:
    """Return the exit code of a question with this key, asked again while it is not the wanted one."""
    for _ in range(5):
        done = await command(gateway, "chat", "x", EVERUP_API_KEY=key)
        if done.code == wanted:
            break
    return done.code


@pytest.mark.anyio
async def test_a_taken_port(tmp_path: Path) -> None:
    """A port in use is told with its number, and the exit code says configuration."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway = Gateway(tmp_path, f"[server]\nport = {port}\n", port)
        gateway.start()
        process = gateway.process
        assert process is not None
        await until(lambda: process.poll() is not None, 10)
    assert 78 == process.returncode
    assert f"port {port} is in use by" in gateway.err
    assert "Traceback" not in gateway.err


@pytest.mark.anyio
async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A config file that was named must be there."""
    gateway = Gateway(tmp_path, None, 0)
    gateway.start("--config", str(tmp_path / "nowhere.toml"))
    process = gateway.process
    assert process is not None
    await until(lambda: process.poll() is not None, 10)
    assert 78 == process.returncode
    assert "nowhere.toml" in gateway.err
    assert "Traceback" not in gateway.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.anyio
async def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    """Ctrl-C drains and ends with 0, without a traceback."""
    port = closed_port()
    gateway = Gateway(
        tmp_path, f'[server]\nport = {port}\n[providers.ollama]\n[routes.default]\ntry = ["ollama/x"]\n', port
    )
    gateway.start()
    process = gateway.process
    assert process is not None
    try:
        await until(lambda: "In another terminal" in gateway.err, 15)
        process.send_signal(signal.SIGINT)
        await until(lambda: process.poll() is not None, 10)
    finally:
        process.kill()
        process.wait()
    assert 0 == process.returncode
    assert "Traceback" not in gateway.err


def test_how_a_shell_calls_it(tmp_path: Path) -> None:
    """The line to paste works where the PATH does not lead to this everup, and is short where it does."""
    python, script = tmp_path / "py thon", tmp_path / "everup"
    assert program(str(python), None, "linux") == f"'{python}' -m everup"
    script.touch()
    assert program(str(python), None, "linux") == str(script)
    assert program(str(python), "/usr/bin/everup", "linux") == str(script)
    link = tmp_path / "bin"
    link.symlink_to(script)
    assert "everup" == program(str(python), str(link), "linux")
