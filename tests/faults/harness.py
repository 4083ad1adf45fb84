"""
Sends every row to a whole everup, all at once, and keeps what came of it.

What must not live here: rows (see `rows`) and judgements (see `test_rows`). One everup process serves all cases:
each case has its own providers and route, so that no cooldown of one touches another.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import trustme
from msgspec import Struct

from everup.testing.client import Answer
from everup.testing.gateway import Gateway, config_text
from everup.testing.provider import Request, ScriptedProvider, refusing_port
from everup.testing.scripts import Script, reply
from tests.faults.rows import ROWS
from tests.faults.shape import LEAK, Expect, Row

FORMS = ("whole", "streamed")
MODES = ("pair", "alone")
"""With a good second provider, and with none."""
AT_ONCE = 24
MODEL = "m"
LIMITS = {"connect_s": 1.5, "upstream_body_bytes_max": 4_194_304, "held_bytes_max": 1_048_576}


class Case(Struct, frozen=True):
    """One row in one form and mode."""

    row: Row
    form: str
    mode: str

    @property
    def name(self) -> str:
        """Return a name that can stand in a config file and a path."""
        return f"{self.row.id}-{self.form}-{self.mode}".replace(".", "-").lower()

    @property
    def expect(self) -> Expect:
        """Return what must follow."""
        return self.row.expect(self.form, self.mode)


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one case: the client's answer, what each provider was asked, or the client's own error."""

    answer: Answer | None
    first: list[Request]
    second: list[Request]
    complaints: list[str]
    error: str = ""


class Played(Struct, frozen=True):
    """Everything one run of the table left: the outcomes by case, the process's words, its exit code."""

    outcomes: dict[str, Outcome]
    err: str
    status: Answer
    exit_code: int


def calm(row: Row, form: str) -> Case:
    """Return the case without a fault that a row's bodies are compared with: same fields, good provider."""
    return Case(next(each for each in ROWS if each.fields == row.fields), form, "calm")


JUDGED = tuple(Case(row, form, mode) for row in ROWS for form in FORMS for mode in MODES)
CALM = {each.name: each for each in (calm(case.row, case.form) for case in JUDGED)}
CASES = (*CALM.values(), *JUDGED)


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose backlog is full: the kernel drops what comes, as a lost SYN would be (Linux)."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = int(listener.getsockname()[1])
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(("127.0.0.1", port))
        yield port


def certificate(kind: str, folder: Path) -> ssl.SSLContext:
    """Return a server's TLS settings that a client which trusts `folder/ca.pem` must refuse."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / f"{kind}.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    name = "other.example" if kind == "tls-other" else "127.0.0.1"
    issued = authority.issue_cert(name, **({"not_after": past} if kind == "tls-expired" else {}))
    issued.configure_cert(context)
    return context


async def first_of(case: Case, stack: AsyncExitStack, folder: Path) -> tuple[ScriptedProvider, dict[str, object]]:
    """Return the first provider of a case, listening, and its table."""
    row = case.row
    scripts: tuple[Script, ...] = row.first if isinstance(row.first, tuple) else (row.first,)
    table: dict[str, object] = {"profiles": [{"id": "default", "key": LEAK}], **row.provider}
    address = "" if case.mode == "calm" else row.address
    if case.mode == "calm" or not scripts:
        scripts = (reply("first"),)
    tls = certificate(address, folder) if address in {"tls-unknown", "tls-expired", "tls-other"} else None
    if address in {"tls-expired", "tls-other"}:
        table["ca_file"] = str(folder / f"{address}.pem")
    first = ScriptedProvider({"*": scripts}, tls=tls, models=(MODEL,))
    if address in {"closed", "nowhere", "deaf"}:
        port = stack.enter_context(deaf_port() if address == "deaf" else refusing_port())
        host = "nowhere.invalid" if address == "nowhere" else "127.0.0.1"
        return first, {**table, "base_url": f"http://{host}:{port}/v1"}
    await stack.enter_async_context(first)
    url = first.base_url.replace("http:", "https:") if address == "tls-plain" else first.base_url
    return first, {**table, "base_url": url}


class Stage(Struct):
    """The providers of all cases and the everup between."""

    gateway: Gateway
    firsts: dict[str, ScriptedProvider]
    good: ScriptedProvider


@asynccontextmanager
async def open_stage(cases: tuple[Case, ...], folder: Path) -> AsyncIterator[Stage]:
    """Everything a run needs, running."""
    async with AsyncExitStack() as stack:
        good = await stack.enter_async_context(ScriptedProvider(reply("second"), models=(MODEL,)))
        firsts: dict[str, ScriptedProvider] = {}
        providers: dict[str, dict[str, object]] = {}
        routes: dict[str, dict[str, object]] = {}
        models: dict[str, dict[str, object]] = {}
        for case in cases:
            firsts[case.name], providers[f"f-{case.name}"] = await first_of(case, stack, folder)
            chain = [f"f-{case.name}/{MODEL}"]
            if case.mode == "pair":
                root = good.base_url.removesuffix("/v1")
                providers[f"s-{case.name}"] = {"base_url": f"{root}/{case.name}/v1"}
                chain.append(f"s-{case.name}/{MODEL}")
            routes[case.name] = {"try": chain, **case.row.clocks}
            if case.row.model:
                models[f"f-{case.name}/{MODEL}"] = dict(case.row.model)
        text = config_text(providers=providers, routes=routes, models=models, limits=LIMITS)
        gateway = Gateway(folder, text)
        await stack.enter_async_context(gateway)
        yield Stage(gateway, firsts, good)


async def play_case(stage: Stage, case: Case) -> Outcome:
    """Return what came of one case."""
    answer, error = None, ""
    try:
        answer = await stage.gateway.ask(
            case.name, stream=case.form == "streamed", within_s=14, **dict(case.row.fields)
        )
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as failure:
        error = repr(failure)
    first = stage.firsts[case.name]
    second = [request for request in stage.good.requests if request.prefix == case.name]
    complaints = [] if case.row.address == "tls-plain" else first.complaints
    return Outcome(answer=answer, first=first.requests, second=second, complaints=complaints, error=error)


async def play(cases: tuple[Case, ...], folder: Path) -> Played:
    """Return the outcomes of all cases, `AT_ONCE` at a time."""
    gate = asyncio.Semaphore(AT_ONCE)
    outcomes: dict[str, Outcome] = {}

    async def one(stage: Stage, case: Case) -> None:
        async with gate:
            outcomes[case.name] = await play_case(stage, case)

    async with open_stage(cases, folder) as stage:
        async with asyncio.TaskGroup() as tasks:
            for case in cases:
                tasks.create_task(one(stage, case))
        status = await stage.gateway.get("/status")
        gateway = stage.gateway
    return Played(outcomes, gateway.err + gateway.out, status, gateway.exit_code or 0)
