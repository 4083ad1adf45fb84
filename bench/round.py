"""
One round: everup beside its contenders, with the ratios that count.

Lives here: the order of a round and its arguments. Must not: measure or compute (see measures, figures).
Called by people: `python bench/round.py [--seconds 3] [--rounds 5] [--only NAME] [--json FILE] [--write FILE]`.
"""

import argparse
import datetime as dt
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import machine
import report
from contenders import CONTENDERS, Contender, Place, Server, everup_env, provider
from figures import Cases, Run
from measures import CASES, CROWD, measure_crowd, measure_gone, measure_memory, measure_start, run_case
from targets import Measured

ONCE: dict[str, Callable[[Place, Contender], Run]] = {
    "memory": measure_memory,
    "start": measure_start,
    "gone": measure_gone,
    "crowd": measure_crowd,
}
FILES_PER_STREAM = 2
FILES_SPARE = 200


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Return what was asked for on the command line."""
    reader = argparse.ArgumentParser(description="Measure everup beside direct and nginx, side by side in one round.")
    reader.add_argument("--seconds", type=float, default=3, help="length of each load run (default 3)")
    reader.add_argument("--rounds", type=int, default=5, help="interleaved repetitions (default 5)")
    reader.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a case, a figure taken once, or a contender"
    )
    reader.add_argument("--python", default=sys.executable, help="interpreter that runs everup (default: this one)")
    reader.add_argument("--json", type=Path, metavar="FILE", help="write every run's figures")
    reader.add_argument("--write", type=Path, metavar="FILE", help="write the tables as Markdown")
    asked = reader.parse_args(words)
    known = {case.name for case in CASES} | set(ONCE) | {contender.name for contender in CONTENDERS}
    if unknown := set(asked.only) - known:
        reader.error(f"--only knows {', '.join(sorted(known))}; not {', '.join(sorted(unknown))}")
    return asked


def say(text: str) -> None:
    """Nothing; progress goes to stderr, the tables to stdout."""
    print(text, file=sys.stderr, flush=True)


def chosen(only: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the names of one kind that were asked for; all of them when none of that kind was."""
    return [name for name in names if name in only] or list(names)


def interleaved(contenders: Sequence[Server], repetition: int) -> list[Server]:
    """Return the contenders in this repetition's order: reversed every other time, so that none always comes first."""
    return list(contenders) if repetition % 2 == 0 else list(reversed(contenders))


def run_cases(place: Place, contenders: Sequence[Contender], names: Sequence[str], asked: argparse.Namespace) -> Cases:
    """Return the runs of every case: all servers up, contenders taking turns inside each repetition."""
    cases: Cases = {name: {contender.name: [] for contender in contenders} for name in names}
    with ExitStack() as stack:
        servers = [stack.enter_context(contender.start(place)) for contender in contenders]
        for repetition in range(asked.rounds):
            for case in (case for case in CASES if case.name in names):
                for server in interleaved(servers, repetition):
                    cases[case.name][server.name].append(run_case(place, server, case, asked.seconds))
            say(f"repetition {repetition + 1} of {asked.rounds}")
    return cases


def run_once(place: Place, contenders: Sequence[Contender], groups: Sequence[str]) -> Measured:
    """Return the figures that are taken once, each on fresh servers; direct has none of its own."""
    taken: Measured = {}
    for group in groups:
        if group == "crowd" and machine.files_max() < CROWD * FILES_PER_STREAM + FILES_SPARE:
            say(f"crowd skipped: a process may open {machine.files_max()} files here, it wants more than {2 * CROWD}")
            continue
        taken[group] = {
            contender.name: ONCE[group](place, contender) for contender in contenders if contender.name != "direct"
        }
        say(f"{group}: {json.dumps(taken[group])}")
    return taken


def version_of(python: str, folder: Path) -> str:
    """Return what `everup version` says, or that it is not there."""
    said = subprocess.run(
        [python, "-m", "everup", "version"], env=everup_env(folder), capture_output=True, text=True, check=False
    )
    words = said.stdout.split()
    return words[1] if words[:1] == ["everup"] else "(not found)"


def measure(asked: argparse.Namespace) -> Measured:
    """Return everything that was measured in this round."""
    case_names = [case.name for case in CASES]
    cases = [name for name in case_names if name in asked.only]
    groups = [name for name in ONCE if name in asked.only]
    if not cases and not groups:
        cases, groups = case_names, list(ONCE)
    contenders = [row for row in CONTENDERS if row.name in chosen(asked.only, [row.name for row in CONTENDERS])]
    for row in contenders:
        if lacking := machine.missing(*row.programs):
            raise machine.BenchError(f"not on this machine: {', '.join(lacking)} (apt-get install nginx-light)")
    with tempfile.TemporaryDirectory(prefix="everup-bench-") as name:
        folder = Path(name)
        with provider(folder) as upstream:
            place = Place(folder=folder, provider=upstream, python=asked.python)
            return {
                "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
                "version": version_of(asked.python, folder),
                "machine": machine.describe(),
                "python": platform.python_version(),
                "rounds": asked.rounds,
                "seconds": asked.seconds,
                **run_once(place, contenders, groups),
                "cases": run_cases(place, contenders, cases, asked) if cases else {},
            }


def main(words: Sequence[str] | None = None) -> int:
    """Return 0 when the round was measured, whatever it shows; 2 when this machine cannot."""
    asked = arguments(words)
    try:
        machine.prepare()
        measured = measure(asked)
    except machine.BenchError as error:
        say(f"bench: {error}")
        return 2
    text = report.document(measured)
    if asked.json:
        asked.json.write_text(json.dumps(measured, indent=1), encoding="utf-8")
    if asked.write:
        asked.write.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
