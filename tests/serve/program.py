"""
A whole serving process without a real engine, started by test_serve.

Lives here: `serve.run` with an engine that answers at once, or streams until it is told to end.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from everup.engine.out import Out
from everup.errors import ConfigError
from everup.observe.log import Log
from everup.observe.metrics import Metrics
from everup.serve import EXIT_CONFIG, run
from everup.shapes.arrival import Arrival
from everup.shapes.asked import Asked
from everup.shapes.limits import Limits
from everup.shapes.route import Route
from everup.shapes.secret import Secret
from everup.shapes.snapshot import ServerSettings
from everup.surfaces.keys import KeyRing
from everup.surfaces.table import Application
from tests.surfaces.scene import ADMIN, KEY, Fixed, Lists, ScriptedEngine, answer_whole, make_snapshot


async def act(asked: Asked, route: Route, arrival: Arrival, out: Out) -> None:
    """Answer whole, or stream for as long as the client listens."""
    if not asked.is_stream:
        await answer_whole(asked, route, arrival, out)
        return
    await out.begin(200, [])
    while True:
        await out.write(b"data: {}\n\n")
        await asyncio.sleep(0.02)


def say(text: str) -> None:
    """A line is on stdout: the ready signal, or what a person reads."""
    print(text, flush=True)  # noqa: T201  # as a command would


def main() -> int:
    """Return the exit code of a run with the settings given as JSON."""
    given = msgspec.json.decode(sys.argv[1], type=dict[str, dict[str, object]])
    limits = msgspec.convert(given.get("limits", {}), Limits)
    settings = msgspec.convert({"port": 0, **given.get("server", {})}, ServerSettings)
    key = str(given.get("own", {}).get("key", KEY))
    log = Log(2, limits)

    @asynccontextmanager
    async def build() -> AsyncIterator[Application]:
        yield Application(
            holder=Fixed(make_snapshot(limits)),
            keys=KeyRing((ADMIN,)),
            engine=ScriptedEngine(act),
            catalogue=Lists(),
            status=dict,
            metrics=Metrics(),
            log=log,
        )

    try:
        new_loop = asyncio.new_event_loop if given.get("loop") else None
        return run(build, settings, limits, key=Secret(key), log=log, on_ready=say, new_loop=new_loop)
    except ConfigError as error:
        say("\n".join(error.problems))
        return EXIT_CONFIG
    finally:
        log.close()


if __name__ == "__main__":
    sys.exit(main())
