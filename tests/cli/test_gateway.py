"""The client of the running gateway: every way to it, and what is said when there is none."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from everup.cli.gateway import Address, error_message, request_bytes
from tests.cli.conftest import Everup

STATUS = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def answering(
    listener: socket.socket, answer: bytes = STATUS, tls: ssl.SSLContext | None = None
) -> Iterator[list[bytes]]:
    """Give the requests that came to a listener that gives every caller the same bytes."""
    requests: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            try:
                with tls.wrap_socket(caller, server_side=True) if tls else caller as talk:
                    requests.append(talk.recv(65_536))
                    talk.sendall(answer)
            except OSError:
                continue  # a caller that does not like our certificate

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield requests
    finally:
        with_end(listener)
        thread.join()


def with_end(listener: socket.socket) -> None:
    """The thread that accepts wakes up and ends."""
    with suppress(OSError):  # systems differ in whether a listener can be shut down; closing is enough there
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.skipif(os.name == "nt", reason="Python has no Unix sockets on Windows")
def test_a_unix_socket(everup: Everup, home: Path, tmp_path: Path) -> None:
    """A gateway on a Unix socket is found through the config file and through an address."""
    home.mkdir()
    path = str(tmp_path / "s")
    (home / "everup.toml").write_text(f"[server]\nunix_socket = {json.dumps(path)}\n", encoding="utf-8")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    with answering(listener) as requests:
        assert "{}\n" == everup("status", "--json", EVERUP_URL="", EVERUP_API_KEY="k-1").out
        assert "{}\n" == everup("status", "--json", "--url", f"unix:{path}").out
    assert b"authorization: Bearer k-1\r\n" in requests[0]
    gone = everup("status", "--json", "--url", f"unix:{path}.gone")
    assert 3 == gone.code
    assert f"the socket {path}.gone" in gone.out


def test_tls(everup: Everup, home: Path, tmp_path: Path) -> None:
    """The configured certificate is trusted, and an unknown one is refused with what to do."""
    home.mkdir()
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = f'[server]\nport = {port}\ntls_cert = {json.dumps(str(tmp_path / "ca.pem"))}\ntls_key = "k.pem"\n'
    (home / "everup.toml").write_text(config, encoding="utf-8")
    with answering(listener, tls=tls):
        assert "{}\n" == everup("status", "--json", EVERUP_URL="").out
        assert "{}\n" == everup("status", "--json", EVERUP_URL=f"https://127.0.0.1:{port}").out
        refused = everup("chat", "x", "--url", f"https://localhost:{port}")
        plain = everup("models", "--url", f"http://127.0.0.1:{port}")
    assert 3 == refused.code == plain.code
    assert "certificate is not accepted" in refused.err
    assert "set SSL_CERT_FILE" in refused.err
    assert "if it speaks TLS, write https://" in plain.err


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (b"", 3, "the connection ended early"),
        (b"SSH-2.0-x\r\n", 3, "not HTTP/1.1"),
        (STATUS[:-2], 1, "incomplete: the connection ended early"),
        (STATUS.replace(b"{}", b"<>"), 3, "another program than everup"),
        (STATUS.replace(b"200 OK", b"500 No"), 1, "the gateway answered 500"),
        (STATUS.replace(b"200 OK", b"401 No"), 4, "No key was sent"),
    ],
)
def test_odd_answers(everup: Everup, answer: bytes, code: int, words: str) -> None:
    """Whatever listens there, one sentence says what is wrong with it."""
    listener = socket.create_server(("127.0.0.1", 0))
    with answering(listener, answer):
        done = everup("models", "--url", f"127.0.0.1:{listener.getsockname()[1]}")
    assert (code, "") == (done.code, done.out)
    assert words in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("url", ["http://", "http://:5", "ftp://x", "http://x:99999", "http://[::1"])
def test_no_address(everup: Everup, url: str) -> None:
    """What is no address is a usage error that shows how one is written."""
    done = everup("status", "--url", url)
    assert 2 == done.code
    assert "write it like http://127.0.0.1:4400" in done.err


def test_a_request() -> None:
    """A request has a host, a key and a length, and its address never shows the key."""
    address = Address(shown="http://[::1]:1", host="::1", port=1, key="secret")
    sent = request_bytes(address, "POST", "/x", b"{}")
    assert sent.startswith(b"POST /x HTTP/1.1\r\nhost: [::1]:1\r\n")
    assert sent.endswith(
        b"authorization: Bearer secret\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    )
    assert "secret" not in repr(address)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'{"error": {"message": "no"}}', "no"),
        (b'{"error": "plain"}', "plain"),
        (b'{"error": {"message": 5}}', ""),
        (b"[]", ""),
        (b"<html>", ""),
        (b'{"error": null}', ""),
    ],
)
def test_error_sentences(body: bytes, sentence: str) -> None:
    """The sentence of an error body is found in either form, and nothing in anything else."""
    assert sentence == error_message(body)
