"""
A child process that needs no model: it reads its order and does what its first argument says.

Lives here: one program, started by the tests of the supervisor. Must not: anything of everup's.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time


def main() -> None:
    """The process has behaved as told."""
    mode = sys.argv[1]
    if mode == "deaf":
        sys.exit(7)
    order = json.loads(sys.stdin.buffer.readline())
    if mode == "ready":
        sys.stderr.write("x" * 200_000)  # more than a pipe holds
        answer(port=order["slots"])
        sys.stdin.buffer.read()
    if mode == "stubborn":
        answer(port=1)
        time.sleep(300)
    if mode == "silent":
        sys.stdin.buffer.read()
    if mode == "endless":
        sys.stdout.write("x" * 100_000)
        sys.stdout.flush()
    if mode == "error":
        answer(error="RuntimeError: Failed to init server")
        sys.exit(1)
    if mode == "unbuilt":
        answer(error="ImportError: libmagic.so.1: cannot open shared object file")
        sys.exit(1)
    if mode == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "traceback":
        raise SystemExit("the last words")


def answer(**fields: object) -> None:
    """The parent has one line."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


main()
