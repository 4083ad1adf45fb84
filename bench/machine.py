"""
The machine: pinned child processes, what they cost, and the compiled programs.

Lives here: /proc, taskset, gcc, limits. Must not: know contenders or cases. Called by contenders and measures.
Linux only: the figures are /proc's.
"""

import hashlib
import os
import platform
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
SERVER_CORE, LOAD_CORE = 0, 1
STOP_S_MAX = 10
READY_S_MAX = 30
QUIET_S_MAX = 30
QUIET_STEP_S = 0.05
QUIET_SHARE = 0.2
SAID_S_MAX = 60
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """Why there is no figure."""


def missing(*programs: str) -> list[str]:
    """Return which of the programs this machine lacks."""
    return [name for name in programs if shutil.which(name) is None]


def cache_folder() -> Path:
    """Return the folder outside the repository that keeps what is compiled and installed once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "everup-bench"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def said(command: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Return what a short command prints, on either stream; "" when it fails."""
    try:
        ended = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=SAID_S_MAX)
    except (OSError, subprocess.SubprocessError):
        return ""
    return (ended.stdout or ended.stderr).strip()


def compiled(name: str) -> str:
    """Return the path of one of our C programs, compiled once per source into the cache folder."""
    source = HERE / f"{name}.c"
    stamp = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    cache = cache_folder()
    program = cache / f"{name}-{stamp}"
    if not program.exists():
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fresh = Path(folder) / name
            subprocess.run(["gcc", "-O2", "-o", fresh, source], check=True)
            fresh.replace(program)
    return str(program)


def prepare() -> None:
    """Nothing; this process and all it starts may open many files, and a signal ends them in order."""
    if sys.platform != "linux":
        raise BenchError("the bench reads /proc: it runs on Linux only")
    if lacking := missing("gcc"):
        raise BenchError(f"not on this machine: {', '.join(lacking)} (apt-get install gcc libc6-dev)")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (65_536, hard):
        with suppress(ValueError, PermissionError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
            break
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    if has_two_cores():
        os.sched_setaffinity(0, {LOAD_CORE})


def files_max() -> int:
    """Return how many files a process started here may open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def has_two_cores() -> bool:
    """Return whether server and load can have a core each."""
    return (os.cpu_count() or 1) > LOAD_CORE and not missing("taskset")


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """Return the command that runs on one core; unchanged where there is only one."""
    return ["taskset", "-c", str(core), *command] if has_two_cores() else [*command]


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], log: Path, *, core: int, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the started process; afterwards it and what it started are ended, by force if they do not go."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            pinned(core, command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env
        )
    try:
        yield process
    finally:
        started = tree(process.pid)[1:]
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for member in started:
            with suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)


def exchange(port: int, request: bytes, within_s: float = 5.0) -> bytes:
    """Return the first bytes that answer a request on a new connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=within_s) as link:
        link.sendall(request)
        return link.recv(65_536)


def wait_ready(
    process: subprocess.Popen[bytes], port: int, request: bytes, log: Path, within_s: float = READY_S_MAX
) -> None:
    """Nothing once the request is answered with 200; BenchError with the log's end when it never is."""
    answer = b""
    until = time.monotonic() + within_s
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError):
            answer = exchange(port, request)
            if answer.startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.002)
    end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    how = "ended" if process.poll() is not None else f"did not answer within {within_s:g} s"
    raise BenchError(f"{log.stem} {how}; its last answer: {answer[:200]!r}\nIts log ends:\n{end}")


def wait_quiet(pid: int) -> None:
    """Nothing once a process tree rests: what a run left behind shall not count in the next; after 30 s, anyway."""
    until = time.monotonic() + QUIET_S_MAX
    before_s = cpu_s(pid)
    while time.monotonic() < until:
        time.sleep(QUIET_STEP_S)
        now_s = cpu_s(pid)
        if now_s - before_s < QUIET_STEP_S * QUIET_SHARE:
            return
        before_s = now_s


def tree(pid: int) -> list[int]:
    """Return a process and everything it started that still runs."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parent = int(
                    (entry / "stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()[1]
                )
                parents.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for member in found:
        found.extend(parents.get(member, []))
    return found


def cpu_s(pid: int) -> float:
    """Return the CPU seconds a process tree has used: schedstat's nanoseconds, else stat's ticks."""
    total = 0.0
    for member in tree(pid):
        threads = list(Path(f"/proc/{member}/task").glob("*/schedstat"))
        with suppress(OSError):
            if threads:
                total += sum(int(thread.read_text(encoding="ascii").split()[0]) for thread in threads) / 1e9
            else:
                fields = Path(f"/proc/{member}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1]
                total += sum(int(ticks) for ticks in fields.split()[11:13]) / CLOCK_TICKS
    return total


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process tree in MB (2**20 bytes)."""
    total_kb = 0
    for member in tree(pid):
        with suppress(OSError):
            status = Path(f"/proc/{member}/status").read_text(encoding="utf-8", errors="replace")
            total_kb += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return total_kb / 1024


def describe() -> str:
    """Return the machine in a line: processor, cores, kernel, Python."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    kernel = platform.release().split("-")[0]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, Linux {kernel}"
