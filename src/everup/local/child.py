"""
The child process: llama.cpp's server on loopback while its parent lives.

Lives here: one program, run by path. It imports the standard library and `xllamacpp` only, so that it starts fast.
Its order is one JSON line on stdin (the key is never in argv or the environment: FAULTS S28); the end of stdin
means that the parent is gone. Its answer is one JSON line on stdout: `{"port": N}` or `{"error": "..."}`.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from typing import Any, BinaryIO

PR_SET_PDEATHSIG = 1
TIMEOUT_S = 600
HTTP_THREADS = 32  # each kept-alive connection holds one, so more than slots


def main() -> int:
    """Return the exit status; while the server serves, this does not return."""
    order = json.loads(sys.stdin.buffer.readline())
    ready = take_stdout()
    # A Ctrl-C or a service manager's SIGTERM goes to the whole group: the parent drains first, then closes stdin.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if not die_with_parent(order["parent"]):
        return 1
    threading.Thread(target=leave_at_end, args=(sys.stdin.buffer,), daemon=True).start()
    try:
        server = serve(order)
    except Exception as error:  # noqa: BLE001  # the boundary: the parent is told in words
        say(ready, {"error": f"{type(error).__name__}: {error}"})
        os._exit(1)  # the library's threads may abort an orderly exit
    say(ready, {"port": int(server.listening_address.rsplit(":", 1)[1].rstrip("/"))})
    threading.Event().wait()
    return 0


def take_stdout() -> int:
    """Return a private copy of stdout; what libraries print goes to stderr now."""
    ready = os.dup(1)
    os.dup2(2, 1)
    return ready


def say(ready: int, answer: dict[str, object]) -> None:
    """The parent has the one line of answer."""
    os.write(ready, json.dumps(answer).encode() + b"\n")
    os.close(ready)


def die_with_parent(parent: int) -> bool:
    """Return whether the parent lives; Linux kills this process when it dies."""
    if not sys.platform.startswith("linux"):
        return True
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return os.getppid() == parent  # it may have died before the call above


def leave_at_end(stdin: BinaryIO) -> None:
    """The process ends when the parent's end of the pipe is closed."""
    while stdin.read(4096):
        pass
    os._exit(0)


def serve(order: dict[str, Any]) -> Any:
    """Return the running server: the constructor comes back only when it listens."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = order["model"]
    params.model_alias = {order["name"]}  # else every answer carries the file's path
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order["key"]]
    params.cors_origins = ""  # the default reflects any origin
    params.ui = False
    params.endpoint_slots = False  # would show other requests' prompts
    params.n_ctx = order["context_tokens"] * order["slots"]  # shared by the slots
    params.n_parallel = order["slots"]
    params.n_threads_http = HTTP_THREADS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = half_the_cores()
    params.cache_ram_mib = order["cache_mib"]
    params.sleep_idle_seconds = order["sleep_after_s"]
    params.timeout_read = params.timeout_write = TIMEOUT_S
    params.verbosity = 0
    return xllamacpp.Server(params)


def half_the_cores() -> int:
    """
    Return how many threads compute: half of the usable cores, at least one.

    They wait for each other by spinning: one per core, beside any other work, was up to ten times slower
    (measured on two busy cores: 2 to 7 tokens/s with two threads, 25 to 75 with one).
    """
    usable = len(os.sched_getaffinity(0)) if sys.platform.startswith("linux") else os.cpu_count() or 1
    return max(1, usable // 2)


if __name__ == "__main__":
    sys.exit(main())
