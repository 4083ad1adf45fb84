"""
Sends every row to a whole everup, all at once, and keeps what came of it.

What must not live here: rows (see `rows`) and judgements (see `clauses`). One everup process serves all cases of a
table: each case has its own providers and route, so that no cooldown of one touches another.
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
from everup.testing.provider import ScriptedProvider, refusing_port
from everup.testing.request import Request
from tests.faults.abroad import EVERY_ROW, rows_of
from tests.faults.dialects import DIALECTS
from tests.faults.shape import LEAK, Expect, Row

FORMS = ("whole", "streamed")
MODES = ("pair", "alone")
"""With a good second provider, and with none."""
BEHIND = {"openai": "openai", "anthropic": "ollama", "ollama": "anthropic"}
"""Whose wire the provider behind a broken one speaks: the chain of the founding bug, in both orders."""
TRIO = ("5.4", "5.8", "5.20.insufficient_quota", "5.24", "5.26", "5.30", "5.32", "5.34", "5.39d", "5.51")
"""Rows that also break the second provider, in its own wire, so that a third of another wire must answer."""
AT_ONCE = 24
MODEL = "m"
LIMITS = {"connect_s": 1.5, "upstream_body_bytes_max": 4_194_304, "held_bytes_max": 1_048_576}


class Case(Struct, frozen=True):
    """One row in one form and mode, told by a provider of one wire."""

    row: Row
    form: str
    mode: str
    dialect: str = "openai"

    @property
    def name(self) -> str:
        """Return a name that can stand in a config file and a path."""
        wire = "" if self.dialect == "openai" else f"-{self.dialect}"
        return f"{self.row.id}-{self.form}-{self.mode}{wire}".replace(".", "-").lower()

    @property
    def expect(self) -> Expect:
        """Return what must follow; with three, what follows from two."""
        return self.row.expect(self.form, "alone" if self.mode == "alone" else "pair")

    @property
    def chain(self) -> dict[str, str]:
        """Return the wire of each provider, by the letter its name begins with, in order."""
        behind = BEHIND[self.dialect]
        seconds = {"pair": {"s": behind}, "trio": {"s": behind, "t": "openai"}}
        return {"f": self.dialect, **seconds.get(self.mode, {})}

    @property
    def broken(self) -> str:
        """Return the letters of the providers that have the fault."""
        return {"calm": "", "trio": "fs"}.get(self.mode, "f")

    def provider(self, letter: str) -> str:
        """Return a provider's name."""
        return f"{letter}-{self.name}"


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one case: the client's answer, what each provider was asked, or the client's own error."""

    answer: Answer | None
    asked: dict[str, list[Request]]
    complaints: list[str]
    error: str = ""


class Played(Struct, frozen=True):
    """Everything one run of a table left: the outcomes by case, the process's words, its exit code."""

    outcomes: dict[str, Outcome]
    err: str
    status: Answer
    exit_code: int


def calm(row: Row, form: str, dialect: str) -> Case:
    """Return the case without a fault that a row's bodies are compared with: same fields, good provider."""
    return Case(next(each for each in EVERY_ROW if each.fields == row.fields), form, "calm", dialect)


def judged(dialect: str) -> tuple[Case, ...]:
    """Return every case of one wire's table."""
    rows = rows_of(dialect)
    cases = [Case(row, form, mode, dialect) for row in rows for form in FORMS for mode in MODES]
    if BEHIND[dialect] != dialect:
        cases += [Case(row, form, "trio", dialect) for row in rows for form in FORMS if row.id in TRIO]
    return tuple(cases)


def with_calm(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """Return the cases and the calm ones that their bodies are compared with."""
    compared = [calm(case.row, case.form, wire) for case in cases for wire in case.chain.values()]
    return (*{each.name: each for each in compared}.values(), *cases)


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


async def own_provider(
    case: Case, letter: str, stack: AsyncExitStack, folder: Path
) -> tuple[ScriptedProvider, dict[str, object]]:
    """Return a provider that only this case has, listening, and its table."""
    row, dialect = case.row, DIALECTS[case.chain[letter]]
    is_broken = letter in case.broken
    profiles = [{"id": "default", "key": LEAK}]
    table: dict[str, object] = {"wire": dialect.wire, "local": False, "profiles": profiles, **row.provider}
    address = row.address if is_broken else ""
    scripts = (row.scripts(dialect) if is_broken else ()) or (dialect.first,)
    tls = certificate(address, folder) if address in {"tls-unknown", "tls-expired", "tls-other"} else None
    if address in {"tls-expired", "tls-other"}:
        table["ca_file"] = str(folder / f"{address}.pem")
    provider = ScriptedProvider({"*": scripts}, tls=tls, models=(MODEL,), is_ollama=dialect.wire == "ollama")
    if address in {"closed", "nowhere", "deaf"}:
        provider.port = stack.enter_context(deaf_port() if address == "deaf" else refusing_port())
        host = "nowhere.invalid" if address == "nowhere" else "127.0.0.1"
        return provider, {**table, "base_url": provider.base_url.replace("127.0.0.1", host)}
    await stack.enter_async_context(provider)
    url = provider.base_url.replace("http:", "https:") if address == "tls-plain" else provider.base_url
    return provider, {**table, "base_url": url}


class Stage(Struct):
    """The providers of all cases and the everup between: `own` by name, `good` by wire, told apart by the path."""

    gateway: Gateway
    own: dict[str, ScriptedProvider]
    good: dict[str, ScriptedProvider]

    def asked(self, case: Case, letter: str) -> list[Request]:
        """Return what one provider of a case was asked."""
        if own := self.own.get(case.provider(letter)):
            return own.requests
        return [request for request in self.good[case.chain[letter]].requests if request.prefix == case.name]


def shared(good: ScriptedProvider, case: Case, wire: str) -> dict[str, object]:
    """Return the table of a good provider that stands behind many cases."""
    origin = good.base_url.removesuffix("/v1")
    url = f"{origin}/{case.name}{good.base_url.removeprefix(origin)}"
    return {"wire": wire, "local": False, "base_url": url}


@asynccontextmanager
async def open_stage(cases: tuple[Case, ...], folder: Path) -> AsyncIterator[Stage]:
    """Everything a run needs, running."""
    async with AsyncExitStack() as stack:
        good: dict[str, ScriptedProvider] = {}
        for name, dialect in DIALECTS.items():
            answering = ScriptedProvider(dialect.reply("second"), models=(MODEL,), is_ollama=dialect.wire == "ollama")
            good[name] = await stack.enter_async_context(answering)
        own: dict[str, ScriptedProvider] = {}
        providers: dict[str, dict[str, object]] = {}
        routes: dict[str, dict[str, object]] = {}
        models: dict[str, dict[str, object]] = {}
        for case in cases:
            for letter, wire in case.chain.items():
                name = case.provider(letter)
                if letter == "f" or letter in case.broken:
                    own[name], providers[name] = await own_provider(case, letter, stack, folder)
                else:
                    providers[name] = shared(good[wire], case, DIALECTS[wire].wire)
            chain = [f"{case.provider(letter)}/{MODEL}" for letter in case.chain]
            routes[case.name] = {"try": chain, **case.row.clocks}
            if case.row.model:
                models[f"f-{case.name}/{MODEL}"] = dict(case.row.model)
        text = config_text(providers=providers, routes=routes, models=models, limits=LIMITS)
        gateway = Gateway(folder, text)
        await stack.enter_async_context(gateway)
        yield Stage(gateway, own, good)


async def play_case(stage: Stage, case: Case) -> Outcome:
    """Return what came of one case."""
    answer, error = None, ""
    try:
        answer = await stage.gateway.ask(
            case.name, stream=case.form == "streamed", within_s=14, **dict(case.row.fields)
        )
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as failure:
        error = repr(failure)
    asked = {letter: stage.asked(case, letter) for letter in case.chain}
    own = [stage.own[name] for letter in case.chain if (name := case.provider(letter)) in stage.own]
    complaints = [] if case.row.address == "tls-plain" else [each for one in own for each in one.complaints]
    return Outcome(answer=answer, asked=asked, complaints=complaints, error=error)


async def play(cases: tuple[Case, ...], folder: Path) -> Played:
    """Return the outcomes of all cases and the calm ones beside them, `AT_ONCE` at a time."""
    gate = asyncio.Semaphore(AT_ONCE)
    outcomes: dict[str, Outcome] = {}

    async def one(stage: Stage, case: Case) -> None:
        async with gate:
            outcomes[case.name] = await play_case(stage, case)

    every = with_calm(cases)
    async with open_stage(every, folder) as stage:
        async with asyncio.TaskGroup() as tasks:
            for case in every:
                tasks.create_task(one(stage, case))
        status = await stage.gateway.get("/status")
        gateway = stage.gateway
    return Played(outcomes, gateway.err + gateway.out, status, gateway.exit_code or 0)
