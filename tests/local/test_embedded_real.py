"""The embedded model itself, a real llama.cpp server over a real file: answers, secrecy, death, causes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from everup.local.embedded import Embedded, EmbeddedDown, EmbeddedSettings
from everup.local.model_file import ModelFile, describe
from everup.local.process import Child
from tests.local.conftest import is_running, until

pytestmark = [pytest.mark.anyio, pytest.mark.long]

PROVIDER_KEY = "a-provider-key-that-stays-here"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
PARENT = """
import asyncio, os, sys
from pathlib import Path
from everup.local.embedded import Embedded
from everup.local.model_file import describe

async def main():
    embedded = Embedded(lambda: describe(Path(sys.argv[1])), os.environ)
    await embedded.start_if_needed()
    print(embedded.status()["pid"], flush=True)
    await asyncio.sleep(300)

asyncio.run(main())
"""


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Return both loops that everup runs on."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture
async def embedded(real_model: ModelFile) -> AsyncIterator[Embedded]:
    """Return a supervisor over the real model, with a provider's key in its environment."""
    made = Embedded(lambda: real_model, {**os.environ, "OPENAI_API_KEY": PROVIDER_KEY})
    yield made
    await made.close()


def send(url: str, key: str, body: object = None) -> tuple[int, str]:
    """Return status and text of an answer; blocks."""
    data = None if body is None else json.dumps(body).encode()
    assert url.startswith("http://127.0.0.1:")
    request = urllib.request.Request(url, data, {"content-type": "application/json"})  # noqa: S310  # asserted above
    if key:
        request.add_header("authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # same
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def ask(embedded: Embedded, **more: object) -> dict[str, Any]:
    """Return the answer of the model to a short question."""
    with embedded.lease():
        base_url, key = await embedded.start_if_needed()
        body = {"model": "any", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 16, **more}
        status, text = await asyncio.to_thread(send, f"{base_url}/chat/completions", key.reveal(), body)
    assert 200 == status, text
    answer: dict[str, Any] = json.loads(text)
    return answer


def shown_by_proc(pid: int) -> bytes:
    """Return what other programs may read of a process's arguments and environment, where the system shows it."""
    proc = Path(f"/proc/{pid}")
    return (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes() if proc.exists() else b""


def child_of(embedded: Embedded) -> Child:
    """Return the running child."""
    assert embedded.child is not None
    return embedded.child


async def test_it_answers_and_keeps_its_secrets(embedded: Embedded, real_model: ModelFile) -> None:
    """The model answers with its name, asks for its key, and shows its path and its key to nobody."""
    answer = await ask(embedded)
    assert answer["choices"][0]["message"]["content"].strip()
    assert real_model.name == answer["model"]
    base_url, key = await embedded.start_if_needed()
    status, text = await asyncio.to_thread(send, f"{base_url}/models", key.reveal())
    assert (200, [real_model.name]) == (status, [row["id"] for row in json.loads(text)["data"]])
    assert str(real_model.path.parent) not in text + json.dumps(answer)
    assert 401 == (await asyncio.to_thread(send, f"{base_url}/models", ""))[0]
    assert 401 == (await asyncio.to_thread(send, f"{base_url}/models", "wrong"))[0]
    assert 401 == (await asyncio.to_thread(send, f"{base_url}/chat/completions", "", {"messages": []}))[0]
    shown = shown_by_proc(child_of(embedded).pid)
    assert key.reveal().encode() not in shown
    assert PROVIDER_KEY.encode() not in shown


async def test_it_holds_to_a_json_schema(embedded: Embedded) -> None:
    """An answer under a JSON schema has the shape of the schema."""
    shape = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": SCHEMA}}
    answer = await ask(embedded, response_format=shape, max_tokens=200, temperature=0.8, seed=7)
    place = json.loads(answer["choices"][0]["message"]["content"])
    assert {"city": str, "people": int} == {name: type(value) for name, value in place.items()}


async def test_eight_at_once_on_two_slots(embedded: Embedded) -> None:
    """More requests than slots wait for each other and all are answered by one child."""
    answers = await asyncio.gather(*(ask(embedded, max_tokens=8, seed=seed) for seed in range(8)))
    assert all(answer["usage"]["completion_tokens"] > 0 for answer in answers)
    assert (1, 0) == (embedded.starts, embedded.in_use)


async def test_it_comes_back_after_its_death(embedded: Embedded) -> None:
    """A killed server is started again by the next request, at once."""
    await ask(embedded)
    os.kill(child_of(embedded).pid, signal.SIGKILL)
    await until(lambda: not embedded.is_ready)
    await ask(embedded)
    assert 2 == embedded.starts


async def test_it_sleeps_stops_and_starts_again(real_model: ModelFile) -> None:
    """Unused it stops altogether, and answers the next request all the same."""
    embedded = Embedded(lambda: real_model, os.environ, EmbeddedSettings(idle_stop_s=0.2, sleep_after_s=1))
    await ask(embedded)
    pid = child_of(embedded).pid
    await until(lambda: embedded.state() == "off")
    assert not is_running(pid)
    await ask(embedded)
    await embedded.close()
    assert (2, 0) == (embedded.starts, embedded.failures)


async def test_a_group_signal_leaves_it_to_its_parent(embedded: Embedded) -> None:
    """A Ctrl-C or a service manager's SIGTERM does not take the model away while its parent still drains."""
    await embedded.start_if_needed()
    pid = child_of(embedded).pid
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    await ask(embedded)
    assert 1 == embedded.starts
    await embedded.close()
    assert not is_running(pid)


async def test_it_does_not_outlive_its_parent(real_model: ModelFile) -> None:
    """When the parent is killed without warning the child is gone within two seconds."""
    argv = (sys.executable, "-c", PARENT, str(real_model.path))
    parent = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    await parent.communicate()
    await until(lambda: not is_running(pid), within_s=2.0)


async def test_garbage_and_cut_files_are_told_apart(real_model: ModelFile, tmp_path: Path) -> None:
    """A missing, an empty, a foreign and a cut file each give their own cause, and so does an unknown model."""
    with real_model.path.open("rb") as file:
        head = file.read(50_000_000)
    contents = {
        "empty.gguf": (b"", "is empty"),
        "page.gguf": (b"<html>not found</html>", "is not a GGUF file"),
        "cut.gguf": (head, f"is cut off: 50,000,000 of at least {real_model.bytes:,} bytes"),
        "stub.gguf": (head[:5000], "is cut off inside its head"),
        "foreign.gguf": (head[:4] + bytes(10_000), "is damaged, or of a GGUF version"),
    }
    for name, (content, words) in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        model = describe(path)
        embedded = Embedded(lambda model=model: model, os.environ)  # type: ignore[misc]
        with pytest.raises(EmbeddedDown) as caught:
            await embedded.start_if_needed()
        assert words in caught.value.cause
        assert "everup local get" in caught.value.fix
        path.unlink()
        with pytest.raises(EmbeddedDown, match="cannot be read"):
            await embedded.start_if_needed()
        await embedded.close()
