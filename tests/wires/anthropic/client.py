"""
What the tests of this wire's client side share: requests, a candidate, and the recorded requests.

Lives here: builders and readers. Must not: tests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from everup.shapes.asked import Asked
from everup.shapes.chat import ChatRequest
from everup.shapes.fault import Fault, FaultKind
from everup.shapes.limits import Limits
from everup.shapes.route import CacheMode, Candidate, Model, ModelRef, Profile, Provider
from everup.wires.anthropic.chat_in import read_chat
from everup.wires.anthropic.request_in import read_request

LIMITS = Limits()
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
SERVER_TOOL_WORDS = ("_tool_result", "server_tool_use", "compaction", "tool_reference", "_2025", "_2026")
"""Parts of the names of blocks and tools that the provider runs itself."""


class Recorded(Struct, frozen=True):
    """One recorded request: where it is from, and its JSON."""

    name: str
    request: dict[str, Any]

    def uses_server_tools(self) -> bool:
        """Return whether it holds what only the provider itself can run."""
        types = [tool.get("type") for tool in self.request.get("tools", ())]
        for message in self.request["messages"]:
            types += types_in(message["content"])
        return any(word in str(each) for each in types for word in SERVER_TOOL_WORDS)


def types_in(content: Any) -> list[str]:
    """Return the types of all blocks of a content, inner ones too."""
    blocks = content if isinstance(content, list) else []
    return [each for block in blocks for each in (block["type"], *types_in(block.get("content")))]


def candidate(model: str = "claude-sonnet-4-5", **fields: Any) -> Candidate:
    """Return a candidate of a provider called `anthropic`, whose cache marks are the client's alone."""
    provider = Provider(
        name="anthropic", wire="anthropic", base_url="https://provider.example/v1", cache=CacheMode.CLIENT
    )
    return Candidate(
        index=0,
        provider=provider,
        model=Model(ref=ModelRef("anthropic", model), **fields),
        profile=Profile(id="a", provider="anthropic"),
    )


def request(**fields: Any) -> bytes:
    """Return a request's body."""
    base = {"model": "default", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}
    return json.dumps({**base, **fields}).encode()


def ask(**fields: Any) -> Asked:
    """Return a read request."""
    return read_request(request(**fields), LIMITS)


def chat(**fields: Any) -> ChatRequest:
    """Return a request in no wire's words."""
    found = read_chat(ask(**fields))
    assert isinstance(found, ChatRequest), found.message
    return found


def refused(**fields: Any) -> Fault:
    """Return the fault of a request that no other wire can say."""
    found = read_chat(ask(**fields))
    assert isinstance(found, Fault)
    assert found.kind is FaultKind.UNSUPPORTED
    return found


def turn(*blocks: Any, role: str = "user") -> list[dict[str, Any]]:
    """Return a conversation of one turn."""
    return [{"role": role, "content": list(blocks)}]


def recordings(shared: Path) -> list[Recorded]:
    """Return every recorded Messages request; skips by name without PyYAML."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: recorded traffic cannot be read")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = []
    for path in sorted((shared / "traffic" / "recorded").glob("test_anthropic*/*.yaml")):
        with path.open(encoding="utf-8") as file:
            document = yaml.load(file, Loader=loader)
        found += [
            Recorded(f"{path.stem}#{place}", body)
            for place, pair in enumerate(document.get("interactions") or ())
            if "/v1/messages" in str(pair.get("request", {}).get("uri")) and (body := body_of(pair["request"]))
        ]
    if not found:
        pytest.skip("no recorded Anthropic requests: shared/traffic/recorded/test_anthropic* is absent")
    return found


def body_of(asked: dict[str, Any]) -> Any:
    """Return a recorded request's JSON, None where it has none."""
    if "parsed_body" in asked:
        return asked["parsed_body"]
    return json.loads(asked["body"]) if asked.get("body") else None
