"""
One round: everup beside direct, nginx and its peers, with the ratios that count.

Lives here: the order of a round and its arguments. Must not: measure or compute (see measures, figures).
Called by people: `python bench/round.py [--without peers] [--only NAME] [--json FILE] [--write FILE]`, and with
`--read FILE` to write the tables of an earlier round again.
"""

import argparse
import datetime as dt
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import machine
import report
import targets
from contenders import CONTENDERS as OWN
from contenders import Contender, Place, Server, provider
from figures import Cases, Run
from measures import CASES, CROWD, Case, measure_crowd, measure_gone, measure_memory, measure_start, run_case, warm_up
from peers import PEERS
from targets import Measured

CONTENDERS = (*OWN, *PEERS)
ONCE: dict[str, Callable[[Place, Contender], Run]] = {
    "memory": measure_memory,
    "start": measure_start,
    "gone": measure_gone,
    "crowd": measure_crowd,
}
FILES_PER_STREAM = 2
FILES_SPARE = 200
Failures = list[dict[str, str]]
"""What has no figure: which contender, at what, for what reason."""


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Return what was asked for on the command line."""
    reader = argparse.ArgumentParser(description="Measure everup beside direct, nginx and its peers in one round.")
    reader.add_argument("--seconds", type=float, default=3, help="length of each load run (default 3)")
    reader.add_argument("--rounds", type=int, default=5, help="interleaved repetitions (default 5)")
    reader.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a case, a figure taken once, or a contender"
    )
    reader.add_argument(
        "--without", action="append", default=[], metavar="NAME", help="a contender to leave out; `peers` for all peers"
    )
    reader.add_argument("--python", default=sys.executable, help="interpreter that runs everup (default: this one)")
    reader.add_argument("--json", type=Path, metavar="FILE", help="write every run's figures")
    reader.add_argument("--read", type=Path, metavar="FILE", help="measure nothing: take what --json wrote earlier")
    reader.add_argument("--write", type=Path, metavar="FILE", help="write the tables as Markdown")
    asked = reader.parse_args(words)
    contenders = {contender.name for contender in CONTENDERS}
    known = {
        "--only": {case.name for case in CASES} | set(ONCE) | contenders,
        "--without": {"peers"} | contenders,
    }
    for option, given in (("--only", asked.only), ("--without", asked.without)):
        if unknown := set(given) - known[option]:
            reader.error(f"{option} knows {', '.join(sorted(known[option]))}; not {', '.join(sorted(unknown))}")
    return asked


def command(asked: argparse.Namespace) -> str:
    """Return the command that measures such a round again, with what changes its figures."""
    words = ["python bench/round.py", f"--rounds {asked.rounds}", f"--seconds {asked.seconds:g}"]
    for option, names in (("--only", asked.only), ("--without", asked.without)):
        words += [f'{option} "{name}"' if " " in name else f"{option} {name}" for name in names]
    return " ".join([*words, "--write docs/performance.md"])


def say(text: str) -> None:
    """Nothing; progress goes to stderr, the tables to stdout."""
    print(text, file=sys.stderr, flush=True)


def chosen(asked: argparse.Namespace) -> list[Contender]:
    """Return the contenders that take part: those asked for, or all, without those left out."""
    left_out = {*asked.without, *((peer.name for peer in PEERS) if "peers" in asked.without else ())}
    named = [row for row in CONTENDERS if row.name in asked.only] or CONTENDERS
    return [row for row in named if row.name not in left_out]


def note(failures: Failures, contender: str, at: str, error: Exception) -> None:
    """Nothing; a failure is told at once and kept for the report."""
    say(f"{contender}, {at}: {error}")
    failures.append({"contender": contender, "at": at, "reason": str(error)})


def interleaved(contenders: Sequence[Server], repetition: int) -> list[Server]:
    """Return the contenders in this repetition's order: reversed every other time, so that none always comes first."""
    return list(contenders) if repetition % 2 == 0 else list(reversed(contenders))


def started(
    stack: ExitStack, place: Place, contenders: Sequence[Contender], failures: Failures
) -> Iterator[tuple[str, Server]]:
    """Yield name and server of each contender once it is up and warm; one that is not has failed."""
    for contender in contenders:
        try:
            server = stack.enter_context(contender.start(place))
            if contender.warm_s:
                say(f"{contender.name} is up and warms up")
                warm_up(place, server, contender.warm_s)
        except (machine.BenchError, OSError) as error:
            note(failures, contender.name, "start", error)
        else:
            yield contender.name, server


def run_cases(
    place: Place,
    contenders: Sequence[Contender],
    asked_for: Sequence[Case],
    asked: argparse.Namespace,
    failures: Failures,
) -> Cases:
    """
    Return the runs of every case: all servers up, contenders taking turns inside each repetition.

    A contender that fails in a case is out of that case: it has no figures there, and its reason stands in `failures`.
    """
    with ExitStack() as stack:
        servers = dict(started(stack, place, contenders, failures))
        cases: Cases = {
            case.name: {name: [] for name, server in servers.items() if case.way in server.ways} for case in asked_for
        }
        out: set[tuple[str, str]] = set()
        for repetition in range(asked.rounds):
            for case in asked_for:
                for server in interleaved([servers[name] for name in cases[case.name]], repetition):
                    if (case.name, server.name) in out:
                        continue
                    try:
                        cases[case.name][server.name].append(run_case(place, server, case, asked.seconds))
                    except (machine.BenchError, OSError) as error:
                        note(failures, server.name, case.name, error)
                        out.add((case.name, server.name))
                        cases[case.name][server.name].clear()
            say(f"repetition {repetition + 1} of {asked.rounds}")
    return cases


def run_once(place: Place, contenders: Sequence[Contender], groups: Sequence[str], failures: Failures) -> Measured:
    """Return the figures that are taken once, each on fresh servers; direct has none of its own."""
    taken: Measured = {}
    for group in groups:
        if group == "crowd" and machine.files_max() < CROWD * FILES_PER_STREAM + FILES_SPARE:
            say(f"crowd skipped: a process may open {machine.files_max()} files here, it wants more than {2 * CROWD}")
            continue
        taken[group] = {}
        for contender in contenders:
            if contender.name == "direct":
                continue
            try:
                taken[group][contender.name] = ONCE[group](place, contender)
            except (machine.BenchError, OSError) as error:
                note(failures, contender.name, group, error)
        say(f"{group}: {json.dumps(taken[group])}")
    return taken


def installed(contenders: Sequence[Contender], failures: Failures) -> list[Contender]:
    """Return the contenders that this machine has, or that could be installed."""
    there = []
    for row in contenders:
        if lacking := machine.missing(*row.programs):
            raise machine.BenchError(f"not on this machine: {', '.join(lacking)} (apt-get install nginx-light)")
        try:
            row.install()
        except (machine.BenchError, OSError) as error:
            note(failures, row.name, "install", error)
        else:
            there.append(row)
    return there


def measure(asked: argparse.Namespace) -> Measured:
    """Return everything that was measured in this round."""
    cases = [case for case in CASES if case.name in asked.only]
    groups = [name for name in ONCE if name in asked.only]
    if not cases and not groups:
        cases, groups = list(CASES), list(ONCE)
    failures: Failures = []
    contenders = installed(chosen(asked), failures)
    with tempfile.TemporaryDirectory(prefix="everup-bench-") as name:
        folder = Path(name)
        with provider(folder) as upstream:
            place = Place(folder=folder, provider=upstream, python=asked.python)
            return {
                "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
                "command": command(asked),
                "machine": machine.describe(),
                "versions": {key: value for row in contenders for key, value in row.versions(place).items()},
                "rounds": asked.rounds,
                "seconds": asked.seconds,
                **run_once(place, contenders, groups, failures),
                "cases": run_cases(place, contenders, cases, asked, failures) if cases else {},
                "failures": failures,
            }


def main(words: Sequence[str] | None = None) -> int:
    """Return 0 when the round was measured, whatever it shows; 1 when everup failed in it; 2 when it cannot be."""
    asked = arguments(words)
    try:
        if asked.read:
            measured = json.loads(asked.read.read_text(encoding="utf-8"))
        else:
            machine.prepare()
            measured = measure(asked)
    except machine.BenchError as error:
        say(f"bench: {error}")
        return 2
    if asked.json:
        asked.json.write_text(json.dumps(measured, indent=1), encoding="utf-8")
    text = report.document(measured, targets.reasons())
    if asked.write:
        asked.write.write_text(text, encoding="utf-8")
    print(text)
    return int(any(row["contender"] in {own.name for own in OWN} for row in measured["failures"]))


if __name__ == "__main__":
    sys.exit(main())
