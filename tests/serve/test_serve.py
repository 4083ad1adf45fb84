"""The process as a whole: sockets, signals, drain, descriptors; with an engine that only pretends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from everup.errors import ConfigError
from everup.serve import open_sockets
from everup.shapes.secret import Secret
from everup.shapes.snapshot import ServerSettings
from everup.surfaces.guard import check_exposure, is_loopback, url_of
from everup.surfaces.keys import is_strong
from tests.surfaces.scene import CHAT, KEY, STREAM_BODY

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 10
HEAD = f"Host: localhost\r\nAuthorization: Bearer {KEY}\r\n"
HEALTH = f"GET /healthz HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n".encode()
STREAM = (
    f"POST {CHAT} HTTP/1.1\r\n{HEAD}Content-Type: application/json\r\n".encode()
    + b"Content-Length: %d\r\n\r\n" % len(STREAM_BODY)
    + STREAM_BODY
)
posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits as POSIX has them")


class Process:
    """A running process and where it listens."""

    def __init__(self, given: dict[str, Any], **options: Any) -> None:
        command = [sys.executable, "-m", "tests.serve.program", json.dumps(given)]
        options = {"stderr": subprocess.PIPE, **options}
        self.child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, **options)
        assert self.child.stdout is not None
        self.url = self.child.stdout.readline().decode().strip()
        self.port = int(self.url.rpartition(":")[2]) if self.url.startswith("http") else 0

    def connect(self) -> socket.socket:
        """Return a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)

    def ask(self, data: bytes = HEALTH) -> bytes:
        """Return everything said to some bytes."""
        with self.connect() as caller:
            caller.sendall(data)
            return read_all(caller)

    def stream(self) -> socket.socket:
        """Return a connection whose stream has begun."""
        caller = self.connect()
        caller.sendall(STREAM)
        assert caller.recv(100).startswith(b"HTTP/1.1 200")
        return caller

    def end(self) -> tuple[int, str]:
        """Return exit code and log once the process has ended."""
        out = self.child.communicate(timeout=WAIT_S)[1] or b""
        return self.child.returncode, out.decode()


def read_all(caller: socket.socket) -> bytes:
    """Return what comes until the other end closes."""
    parts = []
    while part := caller.recv(65_536):
        parts.append(part)
    return b"".join(parts)


@contextlib.contextmanager
def process(given: dict[str, Any] | None = None, **options: Any) -> Iterator[Process]:
    """A process that is killed if the test does not end it."""
    made = Process(given or {}, **options)
    try:
        yield made
    finally:
        if made.child.poll() is None:
            made.child.kill()
        made.child.communicate()


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_process_with_0(number: int) -> None:
    """SIGTERM and Ctrl-C end a process that answers nothing at once, with exit code 0."""
    with process() as running:
        assert running.ask().startswith(b"HTTP/1.1 200")
        running.child.send_signal(number)
        code, log = running.end()
    assert 0 == code
    assert '"event":"serve.drained"' in log
    assert "Traceback" not in log


@posix
def test_62_a_drain_ends_with_an_error_event_and_exit_0() -> None:
    """Streams that outlast the drain get an error event, no proper end, no new connection is taken, exit code 0."""
    with process({"limits": {"drain_s": 0.5}}) as running:
        streams = [running.stream() for _ in range(20)]
        running.child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + WAIT_S
        while is_accepting(running) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not is_accepting(running)
        rests = [read_all(each) for each in streams]
        for each in streams:
            each.close()
        code, _ = running.end()
    assert 0 == code
    assert all(b"shutting_down" in rest and not rest.endswith(b"0\r\n\r\n") for rest in rests)


@posix
def test_62_a_second_signal_ends_at_once() -> None:
    """The second SIGTERM ends the process without waiting for the drain."""
    with process({"limits": {"drain_s": 60}}) as running, running.stream():
        running.child.send_signal(signal.SIGTERM)
        while is_accepting(running):
            time.sleep(0.01)
        running.child.send_signal(signal.SIGTERM)
        code, _ = running.end()
    assert 128 + signal.SIGTERM == code


@posix
def test_63_other_signals_do_no_harm() -> None:
    """Storms of SIGHUP, SIGUSR1, SIGUSR2 and SIGPIPE leave the process serving."""
    with process() as running:
        for number in [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE] * 25:
            running.child.send_signal(number)
        assert running.ask().startswith(b"HTTP/1.1 200")


def test_56_a_port_in_use_is_named_with_its_process() -> None:
    """A taken port is exit code 78 and a sentence with the port, and on Linux the process that holds it."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with process({"server": {"port": port}}) as running:
            code, _ = running.end()
    assert 78 == code
    assert f"port {port} is in use by" in running.url
    if sys.platform == "linux":
        assert f"process {os.getpid()} (" in running.url


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
@pytest.mark.parametrize(
    ("key", "is_allowed"),
    [
        ("", False),
        ("password", False),
        ("a" * 64, False),
        ("eu-" + "ab" * 20, False),
        (KEY, True),
        ("1234567890" * 8, False),
        ("0f" * 16 + "1e2d3c4b5a69788796a5b4c3d2e1f00f", False),
        ("64e1a8b37c05d92f1e2d3c4b5a69788796a5b4c3d2e1f00f9be83517ca60f24d", True),
    ],
)
def test_s1_only_a_strong_key_listens_beyond_this_machine(host: str, key: str, *, is_allowed: bool) -> None:
    """A host that others can reach is refused with a sentence unless everup's own key is strong."""
    settings = ServerSettings(host=host)
    if is_allowed:
        check_exposure(settings, Secret(key))
    else:
        with pytest.raises(ConfigError, match="32 random bytes"):
            check_exposure(settings, Secret(key))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_s1_loopback_needs_no_strong_key(host: str) -> None:
    """On this machine alone any key will do."""
    check_exposure(ServerSettings(host=host), Secret("x"))
    assert is_loopback(host)


def test_s1_a_made_key_is_strong() -> None:
    """32 random bytes count as strong in base64 and in hex."""
    assert all(is_strong("eu-" + os.urandom(32).hex()) for _ in range(50))


def test_s1_a_weak_key_is_exit_78() -> None:
    """The process refuses to start before it listens."""
    with process({"server": {"host": "0.0.0.0"}, "own": {"key": "weak"}}) as running:
        code, _ = running.end()
    assert 78 == code
    assert "32 random bytes" in running.url


@posix
def test_s28_a_unix_socket_is_for_its_owner_only(tmp_path: Path) -> None:
    """The socket has mode 0600, answers, replaces a stale one, is gone afterwards, and a second process is refused."""
    path = tmp_path / "s"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    with process({"server": {"unix_socket": str(path)}}) as running:
        assert f"unix:{path}" == running.url
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))
            caller.sendall(HEALTH)
            assert read_all(caller).startswith(b"HTTP/1.1 200")
        with process({"server": {"unix_socket": str(path)}}) as second:
            assert (78, True) == (second.end()[0], "cannot listen" in second.url)
        running.child.send_signal(signal.SIGTERM)
        assert 0 == running.end()[0]
    assert not path.exists()


def test_a_file_is_never_taken_for_a_socket(tmp_path: Path) -> None:
    """A file at the socket's path is left alone."""
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="cannot listen"):
        open_sockets(ServerSettings(unix_socket=str(path)))
    assert "mine" == path.read_text()


def test_tls(tmp_path: Path) -> None:
    """With certificate and key files the gateway speaks HTTPS, and a file it cannot use is exit code 78."""
    authority = trustme.CA()
    made = authority.issue_cert("localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made.private_key_pem.write_to_path(key)
    cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with process({"server": {"tls_cert": str(cert), "tls_key": str(key)}}) as running:
        assert running.url.startswith("https://127.0.0.1:")
        with running.connect() as plain, context.wrap_socket(plain, server_hostname="localhost") as caller:
            caller.sendall(HEALTH)
            assert caller.recv(100).startswith(b"HTTP/1.1 200")
    with process({"server": {"tls_cert": str(tmp_path / "none.pem")}}) as running:
        assert 78 == running.end()[0]
    assert "none.pem" in running.url


@posix
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_86_clients_that_leave_are_no_news(loop: str) -> None:
    """Clients that close, half-close or reset in mid-stream or mid-request leave no line in the log."""
    with process({"loop": {"name": loop}} if loop == "asyncio" else {}) as running:
        for data in [STREAM, STREAM[:-5], HEALTH[:-5], b""]:
            for how in ("close", "half-close", "reset"):
                caller = running.connect()
                caller.sendall(data)
                if data == STREAM:
                    assert caller.recv(100)
                if how == "half-close":
                    caller.shutdown(socket.SHUT_WR)
                    read_all(caller)
                elif how == "reset":
                    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                caller.close()
        assert running.ask().startswith(b"HTTP/1.1 200")
        running.child.send_signal(signal.SIGTERM)
        code, log = running.end()
    assert 0 == code
    assert ["serve.draining", "serve.drained"] == [json.loads(line)["event"] for line in log.splitlines()]


@posix
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_57_out_of_descriptors_the_listening_socket_survives(loop: str) -> None:
    """With no descriptor left callers are turned away, open streams go on, no core is burnt, and service returns."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    resource = pytest.importorskip("resource")

    def few_descriptors() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))

    given = {"loop": {"name": "asyncio"}} if loop == "asyncio" else {}
    with process(given, preexec_fn=few_descriptors) as running:
        stream = running.stream()
        callers = [running.connect() for _ in range(80)]
        used = cpu_s(running.child.pid)
        time.sleep(1.5)
        used = cpu_s(running.child.pid) - used
        assert stream.recv(65_536)
        turned_away = sum(is_ended(caller) for caller in callers)
        for caller in callers:
            caller.close()
        said = retry(running)
        stream.close()
        running.child.send_signal(signal.SIGTERM)
        code, log = running.end()
    assert turned_away > 10
    assert said.startswith(b"HTTP/1.1 200")
    assert used < 0.7
    assert 0 == code
    if loop == "asyncio":
        assert 1 <= log.count("serve.out_of_descriptors") <= 400


def is_accepting(running: Process) -> bool:
    """Return whether a new connection is taken."""
    try:
        running.connect().close()
    except OSError:
        return False
    return True


def cpu_s(pid: int) -> float:
    """Return the processor time of a process, 0 where that cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_ended(caller: socket.socket) -> bool:
    """Return whether a connection was answered or closed by the other end."""
    caller.settimeout(0)
    try:
        caller.recv(1000)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def retry(running: Process) -> bytes:
    """Return the first good answer within the waiting time."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if (said := running.ask()).startswith(b"HTTP/1.1 200"):
                return said
        time.sleep(0.05)
    return b""


@posix
def test_66_a_closed_or_full_stderr_does_no_harm() -> None:
    """With nobody reading its log, or no stderr at all, the process serves and ends as always."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 65_536)
    os.set_blocking(writing, True)
    for options in ({"stderr": writing}, {"stderr": None, "preexec_fn": lambda: os.close(2)}):
        with process(**options) as running:
            for _ in range(30):
                running.child.send_signal(signal.SIGHUP)
                assert running.ask().startswith(b"HTTP/1.1 200")
            running.child.send_signal(signal.SIGTERM)
            assert 0 == running.end()[0]
    os.close(reading)
    os.close(writing)


def test_the_url_is_one_that_works_here() -> None:
    """The address shown is one that a client on this machine can use."""
    shown = [url_of(ServerSettings(host=host), 1) for host in ("127.0.0.1", "0.0.0.0", "::", "::1", "localhost")]
    assert [
        "http://127.0.0.1:1",
        "http://127.0.0.1:1",
        "http://[::1]:1",
        "http://[::1]:1",
        "http://localhost:1",
    ] == shown
