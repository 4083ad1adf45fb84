"""
The parts of a client's message, in no wire's words.

Lives here: texts, images, recordings, files, refusals, and cache marks. Must not: whole messages (see `turns_in`).
Nothing is fetched: an address stays an address (S11).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from everup.shapes.chat import Audio, CacheMark, Document, Image, Part, Text, ToolResult
from everup.wires.openai_chat.values import Table, kind_of, table, text
from everup.wires.unsayable import Unsayable

if TYPE_CHECKING:
    from collections.abc import Callable

THINKING_TYPES = frozenset({"thinking", "redacted_thinking"})
"""Parts that `thoughts.read_replayed` reads."""
BASE64 = ";base64"


def read_parts(content: object, place: str, kinds: frozenset[str]) -> tuple[Part, ...]:
    """
    Return the parts of a content: none of an empty text, one of a text.

    `kinds` are those allowed here.
    """
    if content is None or content == "":
        return ()
    if isinstance(content, str):
        return (Text(content),)
    if not isinstance(content, list):
        raise Unsayable(place, "must be a text or a list of parts")
    parts = [read_part(each, f"{place}[{index}]", kinds) for index, each in enumerate(content)]
    return tuple(part for part in parts if part is not None)


def read_part(value: object, place: str, kinds: frozenset[str]) -> Part | None:
    """
    Return one part.

    None for an empty text, and for thinking, which is read on its own.
    """
    part = table(value, place)
    kind = part.get("type")
    if kind in THINKING_TYPES and kinds >= THINKING_TYPES:
        return None
    read = READERS.get(kind) if isinstance(kind, str) and kind in kinds else None
    if read is None:
        raise Unsayable(place, f"is of a type ({kind_of(kind)}) that only a provider of chat completions could read")
    return read(part, place)


def read_text(part: Table, place: str) -> Text | None:
    """
    Return a text, None of an empty one.

    It says nothing, and some providers refuse it.
    """
    words = text(part.get("text"), f"{place}.text")
    return Text(words, read_mark(part)) if words else None


def read_refusal(part: Table, place: str) -> Text | None:
    """Return the words of a refusal."""
    words = text(part.get("refusal"), f"{place}.refusal")
    return Text(words, read_mark(part), is_refusal=True) if words else None


def read_image(part: Table, place: str) -> Image:
    """
    Return an image by address or by data.

    `input_image` is the Responses API's word for it.
    """
    where = f"{place}.image_url"
    given = part.get("image_url")
    address = {"url": given, "detail": part.get("detail")} if isinstance(given, str) else table(given, where)
    url = text(address.get("url"), f"{where}.url")
    if not url:
        raise Unsayable(where, "holds no address and no data")
    media_type, data = read_data_url(url, f"{where}.url")
    return Image(
        media_type=media_type,
        data=data,
        url="" if data else url,
        detail=text(address.get("detail"), f"{where}.detail"),
        cache=read_mark(part),
    )


def read_audio(part: Table, place: str) -> Audio:
    """Return a recording."""
    where = f"{place}.input_audio"
    audio = table(part.get("input_audio"), where)
    data = text(audio.get("data"), f"{where}.data")
    if not data:
        raise Unsayable(where, "holds no data")
    return Audio(data, text(audio.get("format"), f"{where}.format"))


def read_file(part: Table, place: str) -> Document:
    """
    Return a file.

    By a provider's id, by data, or by address (OpenRouter takes one in `file_data`).
    """
    where = f"{place}.file"
    file = table(part.get("file"), where)
    given = text(file.get("file_data"), f"{where}.file_data")
    file_id = text(file.get("file_id"), f"{where}.file_id")
    if not given and not file_id:
        raise Unsayable(where, "holds neither file_data nor file_id")
    media_type, data = read_data_url(given, f"{where}.file_data")
    is_url = given.lower().startswith(("http://", "https://"))
    return Document(
        name=text(file.get("filename"), f"{where}.filename"),
        media_type=media_type,
        data=data or ("" if is_url else given),
        url=given if is_url else "",
        file_id=file_id,
        cache=read_mark(part),
    )


READERS: dict[str, Callable[[Table, str], Part | None]] = {
    "text": read_text,
    "refusal": read_refusal,
    "image_url": read_image,
    "input_image": read_image,
    "input_audio": read_audio,
    "file": read_file,
}


def read_data_url(url: str, place: str) -> tuple[str, str]:
    """
    Return media type and base64 data of a `data:` URL.

    RFC 2397. Twice "" for any other.
    """
    if url[:5].lower() != "data:":
        return "", ""
    head, comma, data = url[5:].partition(",")
    if not comma or not data or not head.lower().endswith(BASE64):
        raise Unsayable(place, "is a data: URL without base64 data")
    return head.partition(";")[0].strip().lower(), data


def read_mark(part: Table) -> CacheMark | None:
    """Return the client's cache mark on a part, a message or a tool."""
    mark = part.get("cache_control")
    if not isinstance(mark, dict):
        return None
    ttl = mark.get("ttl")
    return CacheMark(ttl if isinstance(ttl, str) else "")


def with_mark(parts: tuple[Part, ...], mark: CacheMark | None) -> tuple[Part, ...]:
    """
    Return parts with a whole message's mark on the last.

    The last part's own mark stays.
    """
    if mark is None or not parts or not isinstance(parts[-1], Text | Image | Document | ToolResult):
        return parts
    return (*parts[:-1], structs.replace(parts[-1], cache=parts[-1].cache or mark))
