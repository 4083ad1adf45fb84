"""
A client of the running gateway: one request, and its answer as it comes.

Lives here: finding the gateway (address, socket, key) and saying in words why it cannot be asked. Must not:
what the answers mean. The reading of HTTP is net's; no request is ever repeated.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

from everup import __version__
from everup.cli import place
from everup.cli.exits import Ended, Exit
from everup.net.causes import words
from everup.net.http1 import Reader
from everup.net.tls import make_context
from everup.shapes.limits import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

CONNECT_S = 5.0
ANSWER_S = 15.0
"""For an answer that the gateway has in memory (models, status)."""
QUIET_S = 630.0
"""Between two reads of a chat answer: the default deadline and a little; streams have keep-alives well within it."""
READ_BYTES = 65_536
ERROR_CHARS_MAX = 4000
START_IT = "start it with `everup run`"


class Address(Struct, frozen=True, kw_only=True):
    """Where the gateway is (a Unix socket, or host and port) and what lets us in."""

    shown: str
    host: str = "localhost"
    port: int = 0
    is_tls: bool = False
    socket_path: str = ""
    ca_file: str = ""
    key: str = ""

    def __repr__(self) -> str:
        """Return the address without the key."""
        return f"Address({self.shown})"


class Cut(Exception):
    """An answer that ended before its end, with the reason in words."""


def find_gateway(url: str = "") -> Address:
    """Return the gateway meant: by option, else EVERUP_URL, else the config file."""
    given = url or place.environ_url()
    if given.startswith("unix:"):
        path = given.removeprefix("unix:")
        return Address(shown=f"the socket {path}", socket_path=path, key=place.find_key())
    server = place.server_settings()
    if server.unix_socket and not given:
        return Address(shown=f"the socket {server.unix_socket}", socket_path=server.unix_socket, key=place.find_key())
    found = place.find_url(url, server)
    try:
        parts = urlsplit(found)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise Ended(Exit.USAGE, f"{found} is not an address: write it like http://127.0.0.1:4400") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Ended(Exit.USAGE, f"{found} is not an address: write it like http://127.0.0.1:4400")
    return Address(
        shown=found,
        host=parts.hostname,
        port=port,
        is_tls=parts.scheme == "https",
        ca_file=server.tls_cert if not given or found == place.url_of(server) else "",
        key=place.find_key(),
    )


class Answer:
    """An answer on its way: status and headers are there, the bytes come."""

    def __init__(self, stream: asyncio.StreamReader, reader: Reader, quiet_s: float) -> None:
        self.stream = stream
        self.reader = reader
        self.quiet_s = quiet_s
        self.status = 0
        self.headers: Mapping[str, str] = {}

    async def begin(self) -> None:
        """Return once the head is there; `Cut` when it does not come."""
        while self.reader.head is None:
            await self.more()
        self.status = self.reader.head.status
        self.headers = self.reader.head.as_text()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; `Cut` when it ends before its end."""
        while True:
            if data := self.reader.take():
                yield data
            if self.reader.is_done:
                return
            await self.more()

    async def whole(self) -> bytes:
        """Return the whole body."""
        return b"".join([piece async for piece in self.pieces()])

    async def more(self) -> None:
        """The reader has what arrived next."""
        if self.reader.fault is not None:
            raise Cut(self.reader.fault[1])
        try:
            data = await asyncio.wait_for(self.stream.read(READ_BYTES), self.quiet_s)
        except TimeoutError:
            raise Cut(f"nothing came for {self.quiet_s:.0f} s") from None
        except OSError as error:
            raise Cut(error.strerror or str(error)) from None
        if data:
            self.reader.feed(data)
        elif not self.reader.end():
            raise Cut("the connection ended early")


@asynccontextmanager
async def ask(
    address: Address, method: str, target: str, body: bytes = b"", *, quiet_s: float = ANSWER_S
) -> AsyncIterator[Answer]:
    """Give the answer to one request, its head there; closes the connection after."""
    stream, writer = await connect(address)
    try:
        writer.write(request_bytes(address, method, target, body))
        answer = Answer(stream, Reader(Limits()), quiet_s)
        try:
            await answer.begin()
        except Cut as cut:
            hint = "" if address.is_tls or address.socket_path else "; if it speaks TLS, write https://"
            raise Ended(Exit.NOT_RUNNING, f"what listens at {address.shown} gave no answer: {cut}{hint}") from None
        yield answer
    finally:
        writer.close()


async def connect(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return an open connection; `Ended` says why there is none and what to do."""
    try:
        async with asyncio.timeout(CONNECT_S):
            if address.socket_path:
                return await asyncio.open_unix_connection(address.socket_path)
            tls = make_context(address.ca_file) if address.is_tls else None
            return await asyncio.open_connection(address.host, address.port, ssl=tls)
    except TimeoutError:
        cause = f"no connection within {CONNECT_S:.0f} s"
    except OSError as error:
        cause = reason(error)
    except AttributeError:  # asyncio has no open_unix_connection there
        cause = "Python has no Unix sockets on this platform"
    raise Ended(Exit.NOT_RUNNING, f"no gateway answers at {address.shown} ({cause}): {START_IT}")


def reason(error: OSError) -> str:
    """Return why a connection failed, and the setting that helps a wrong name."""
    verify = str(getattr(error, "verify_message", ""))
    if "mismatch" in verify or "not valid for" in verify:
        return f"its certificate is not accepted: {verify}; set EVERUP_URL to the name the certificate is for"
    if verify:
        return f"its certificate is not accepted: {verify}; set SSL_CERT_FILE to the certificate if it is your own"
    return words(error)


def request_bytes(address: Address, method: str, target: str, body: bytes) -> bytes:
    """Return a request as it goes over the wire; the connection ends after it."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    lines = [
        f"{method} {target} HTTP/1.1",
        f"host: {host}:{address.port}" if address.port else f"host: {host}",
        f"user-agent: everup-cli/{__version__}",
        "connection: close",
    ]
    if address.key:
        lines.append(f"authorization: Bearer {address.key}")
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


def get_json(address: Address, target: str) -> Any:
    """Return what a GET of the gateway gives; `Ended` says why not."""

    async def asked() -> Any:
        async with ask(address, "GET", target) as answer:
            if answer.status != 200:
                raise refusal(address, answer.status, await answer.whole())
            return decoded(address, await answer.whole())

    try:
        return asyncio.run(asked())
    except Cut as cut:
        raise Ended(Exit.FAILED, f"the answer of {address.shown} is incomplete: {cut}") from None


def decoded(address: Address, body: bytes) -> Any:
    """Return an answer's JSON; anything else comes from another program."""
    try:
        return json.loads(body)
    except ValueError:
        raise Ended(Exit.NOT_RUNNING, f"another program than everup answers at {address.shown}") from None


def refusal(address: Address, status: int, body: bytes) -> Ended:
    """Return the end of a command that was refused, in the gateway's own words."""
    message = error_message(body) or f"the gateway answered {status}"
    if status in {401, 403}:
        return Ended(Exit.KEY_REFUSED, f"{message}\n{place.key_hint(is_there=bool(address.key))}")
    return Ended(Exit.FAILED, message)


def error_message(body: bytes) -> str:
    """Return the sentence of an error answer, nothing if it has none."""
    try:
        error = json.loads(body)["error"]
        message = error["message"] if isinstance(error, dict) else error
    except (ValueError, KeyError, TypeError):
        return ""
    return message[:ERROR_CHARS_MAX] if isinstance(message, str) else ""
