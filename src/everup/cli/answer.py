"""
One chat answer: from bytes to text shown as it comes, and how it went.

What must not live here: printing (the text goes to a callback). Called by `chat`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from everup.cli.exits import Exit
from everup.cli.gateway import QUIET_S, Cut, ask, decoded, error_message, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from everup.cli.gateway import Address, Answer

CHAT = "/v1/chat/completions"
LINE_BYTES_MAX = 8_388_608
DONE = b"[DONE]"


class Told(Struct, frozen=True, kw_only=True):
    """How an answer went: its text, who gave it, the attempts, why it is not whole."""

    text: str = ""
    model: str = ""
    trail: str = ""
    fault: str = ""


async def answered(address: Address, body: dict[str, object], show: Callable[[str], None]) -> Told:
    """Return how it went, the text already shown; `Ended` if there is no gateway."""
    async with ask(address, "POST", CHAT, json.dumps(body).encode(), quiet_s=QUIET_S) as answer:
        model, trail = answer.headers.get("x-everup-model", ""), answer.headers.get("x-everup-trail", "")
        if answer.status != 200:
            end = refusal(address, answer.status, await rest_of(answer))
            if end.code is not Exit.FAILED:
                raise end
            return Told(trail=trail, fault=end.message)
        parts: list[str] = []
        fault = ""
        try:
            async for part in texts(address, answer):
                parts.append(part)
                show(part)
        except Cut as cut:
            fault = f"the answer is incomplete: {cut}"
    return Told(text="".join(parts), model=model, trail=trail, fault=fault)


async def rest_of(answer: Answer) -> bytes:
    """Return what can be had of an error's body."""
    try:
        return await answer.whole()
    except Cut:
        return b""


async def texts(address: Address, answer: Answer) -> AsyncIterator[str]:
    """Yield an answer's text as it comes; `Cut` when it does not come to its own end."""
    if answer.headers.get("content-type", "").partition(";")[0].strip() != "text/event-stream":
        choice = first_choice(decoded(address, await answer.whole()))
        yield text_in(choice.get("message"))
        return
    async for data in events(answer):
        if data == DONE:
            return
        if message := error_message(data):
            raise Cut(message)
        try:
            event = json.loads(data)
        except ValueError:
            raise Cut("an event of the stream is not JSON") from None
        if part := text_in(first_choice(event).get("delta")):
            yield part
    raise Cut("the stream ended without its last event")


async def events(answer: Answer) -> AsyncIterator[bytes]:
    """Yield the data of each event; the gateway writes one `data:` line for each."""
    rest = b""
    async for piece in answer.pieces():
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            raise Cut(f"a line of more than {LINE_BYTES_MAX} bytes")
        for line in lines:
            if line.startswith(b"data:"):
                yield line.removeprefix(b"data:").strip()


def first_choice(answer: Any) -> dict[str, Any]:
    """Return the first choice of an answer or event, empty when it has none."""
    choices = answer.get("choices") if isinstance(answer, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


def text_in(message: object) -> str:
    """Return the text of a message or delta: its content, or its refusal."""
    if not isinstance(message, dict):
        return ""
    return next((text for name in ("content", "refusal") if isinstance(text := message.get(name), str) and text), "")
