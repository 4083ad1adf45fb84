"""
A listener that sends the same bytes to everyone, or nothing.

Lives here: what a stranger on the other end may do that a scripted provider does not.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Listener:
    """A server whose every connection gets `answer` after the request's head and is closed; None stays silent."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.port = 0

    @property
    def base_url(self) -> str:
        """Return the base URL to configure."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection was served."""
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            if self.answer is None:
                await reader.read()
            else:
                writer.write(self.answer)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def __aenter__(self) -> Self:
        """Return itself, listening."""
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The listener is closed."""
        self.server.close()
        await self.server.wait_closed()
