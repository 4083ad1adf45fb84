"""The supervisor, with children that need no model: single start, restart, idle stop, causes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from everup.local.embedded import Embedded, EmbeddedDown, EmbeddedSettings
from everup.local.model_file import ModelFile, NoModel
from tests.local.conftest import is_running, until

pytestmark = pytest.mark.anyio

FAKE = str(Path(__file__).with_name("fake_child.py"))
Make = Callable[..., Embedded]


@pytest.fixture
async def make(small_model: ModelFile) -> AsyncIterator[Make]:
    """Return a maker of supervisors over a fake child of the given mode; all are closed at the end."""
    made: list[Embedded] = []

    def build(mode: str, *, find: Callable[[], ModelFile | NoModel] = lambda: small_model, **bounds: float) -> Embedded:
        settings = EmbeddedSettings(**bounds)  # type: ignore[arg-type]
        made.append(Embedded(find, os.environ, settings, program=(sys.executable, FAKE, mode), package="json"))
        return made[-1]

    yield build
    for embedded in made:
        await embedded.close()


async def fails(embedded: Embedded) -> EmbeddedDown:
    """Return the failure of a start."""
    with pytest.raises(EmbeddedDown) as caught:
        await embedded.start_if_needed()
    return caught.value


async def test_many_needs_make_one_start(make: Make) -> None:
    """Requests that come at once share one child, one address and one key."""
    embedded = make("ready")
    answers = await asyncio.gather(*(embedded.start_if_needed() for _ in range(20)))
    assert {("http://127.0.0.1:2/v1", embedded.key)} == set(answers)
    assert 1 == embedded.starts
    assert len(embedded.key.reveal()) >= 43


async def test_status_shows_no_key(make: Make) -> None:
    """The status has state, model and pid, and neither it nor any repr has the key."""
    embedded = make("ready")
    assert "off" == embedded.status()["state"]
    await embedded.start_if_needed()
    status = embedded.status()
    assert ("ready", "tiny-1m", 0) == (status["state"], status["model"], status["in_use"])
    assert embedded.key.reveal() not in f"{status} {embedded.key!r} {embedded!r}"


async def test_who_gives_up_waiting_does_not_stop_the_start(make: Make) -> None:
    """A cancelled request leaves the start to the others that wait."""
    embedded = make("ready")
    first, second = (asyncio.create_task(embedded.start_if_needed()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert "http://127.0.0.1:2/v1" == (await second)[0]
    assert 1 == embedded.starts


async def test_a_start_nobody_waits_for_still_ends_idle(make: Make) -> None:
    """A child whose only asker left is stopped when idle, like any other."""
    embedded = make("ready", idle_stop_s=0.05)
    asking = asyncio.create_task(embedded.start_if_needed())
    await asyncio.sleep(0)
    asking.cancel()
    await until(lambda: embedded.starts == 1 and embedded.state() == "off")


async def test_a_dead_child_is_replaced(make: Make) -> None:
    """After the child was killed the next need gets another one with another key."""
    embedded = make("ready")
    _, key = await embedded.start_if_needed()
    pid = embedded.status()["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not embedded.is_ready)
    _, other = await embedded.start_if_needed()
    assert key != other
    assert 2 == embedded.starts


async def test_deaths_in_a_row_put_the_next_start_off(make: Make) -> None:
    """A child that dies again and again is started again later and later, and the error says when."""
    embedded = make("ready", retry_first_s=600.0, retry_max_s=600.0)
    for _ in range(2):
        await embedded.start_if_needed()
        child = embedded.child
        assert child is not None
        child.kill()
        await until(lambda: not embedded.is_ready)
    down = await fails(embedded)
    assert "it was killed" in down.cause
    assert "tried again in 600 s" in down.fix
    assert "failed" == embedded.status()["state"]


async def test_idle_stops_the_child(make: Make) -> None:
    """Without use the child is stopped, that is no failure, and the next need starts it again at once."""
    embedded = make("ready", idle_stop_s=0.05)
    await embedded.start_if_needed()
    pid = embedded.status()["pid"]
    await until(lambda: embedded.state() == "off")
    assert isinstance(pid, int)
    assert not is_running(pid)
    await embedded.start_if_needed()
    assert (2, 0) == (embedded.starts, embedded.failures)


async def test_a_lease_keeps_the_child(make: Make) -> None:
    """A child in use is not stopped however long it takes, and is stopped after its last use."""
    embedded = make("ready", idle_stop_s=0.01)
    with embedded.lease():
        await embedded.start_if_needed()
        with embedded.lease():
            assert 2 == embedded.status()["in_use"]
        assert embedded.idle_timer is None
        embedded.stop_idle()
        assert embedded.is_ready
    await until(lambda: embedded.state() == "off")


async def test_a_need_during_a_stop_gets_a_new_child(make: Make) -> None:
    """A request that comes while the child is being stopped waits for the end and starts another."""
    embedded = make("ready")
    await embedded.start_if_needed()
    embedded.stop_idle()
    assert "stopping" == embedded.state()
    await embedded.start_if_needed()
    assert (2, "ready") == (embedded.starts, embedded.state())


async def test_close_ends_even_a_stubborn_child(make: Make) -> None:
    """A child that ignores the end of its stdin is killed, and no start is possible afterwards."""
    embedded = make("stubborn")
    await embedded.start_if_needed()
    pid = embedded.status()["pid"]
    await embedded.close()
    assert isinstance(pid, int)
    assert not is_running(pid)
    assert "everup is stopping" in (await fails(embedded)).cause


async def test_close_ends_a_start_under_way(make: Make) -> None:
    """Closing while a child is starting leaves no child behind and tells who waits."""
    embedded = make("silent")
    asking = asyncio.create_task(embedded.start_if_needed())
    await until(lambda: embedded.state() == "starting")
    await asyncio.sleep(0.05)
    await embedded.close()
    assert "off" == embedded.state()
    with pytest.raises(EmbeddedDown, match="everup is stopping"):
        await asking


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("error", "Failed to init server"),
        ("unbuilt", "cannot be loaded: ImportError: libmagic.so.1"),
        ("killed", "most likely because memory ran out"),
        ("traceback", "the last words"),
        ("deaf", "ended with status 7"),
        ("endless", "a line without end"),
    ],
)
async def test_a_failed_start_says_why(make: Make, mode: str, words: str) -> None:
    """Every way for a child to fail gives its own cause and something to do."""
    embedded = make(mode)
    down = await fails(embedded)
    assert words in down.cause
    assert down.fix
    assert embedded.status()["cause"] == down.cause


async def test_a_silent_child_is_given_up(make: Make) -> None:
    """A child that does not get ready in time is ended and the time is named."""
    embedded = make("silent", start_s=0.2)
    assert "not ready within" in (await fails(embedded)).cause


async def test_a_missing_program_is_a_cause(small_model: ModelFile) -> None:
    """When the system cannot start a process its own words are the cause."""
    embedded = Embedded(lambda: small_model, {}, program=("/no/such/program",), package="json")
    assert "No such file" in (await fails(embedded)).cause
    await embedded.close()


async def test_a_model_that_appears_is_used(make: Make, small_model: ModelFile) -> None:
    """A missing file is a cause with its fix, and once it is there the next need works."""
    answers: list[ModelFile | NoModel] = [NoModel("no model file", "everup local get"), small_model]
    embedded = make("ready", find=lambda: answers.pop(0))
    down = await fails(embedded)
    assert ("no model file", "everup local get") == (down.cause, down.fix)
    await embedded.start_if_needed()
    assert "" == embedded.status()["cause"]


async def test_a_missing_server_package_is_a_cause(small_model: ModelFile) -> None:
    """Without the extra `local` the cause says what to install and what serves instead."""
    embedded = Embedded(lambda: small_model, {}, package="no_such_package_here")
    down = await fails(embedded)
    assert "no_such_package_here) is not installed" in down.cause
    assert all(words in down.fix for words in ("pipx install '.[local]'", "python3 dev.py run", "Ollama"))
