"""
A scripted Ollama: its lists as the real one writes them, its answers as told.

Lives here: what every test that needs an Ollama shares. Must not: everup's own reading of these bodies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from everup.testing.provider import Connection, Request, ScriptedProvider
from everup.testing.scripts import Script, Send, Silence, play, sized

CLOUD = {"remote_model": "gpt-oss:120b", "remote_host": "https://ollama.com:443"}


class Held(Struct, frozen=True, kw_only=True):
    """One model this Ollama has; `capabilities` None for a version that tells none."""

    capabilities: tuple[str, ...] | None = ("completion",)
    window: int | None = 40960
    size_bytes: int = 2_620_788_260
    arch: str = "qwen3"
    is_remote: bool = False


def details(held: Held) -> dict[str, Any]:
    """Return what stands in both of its answers."""
    return {
        "parent_model": "",
        "format": "gguf",
        "family": held.arch,
        "families": [held.arch],
        "parameter_size": "4.0B",
        "quantization_level": "Q4_K_M",
    }


def tag(name: str, held: Held) -> dict[str, Any]:
    """Return a row of `GET /api/tags`."""
    return {
        "name": name,
        "model": name,
        **(CLOUD if held.is_remote else {}),
        "modified_at": "2026-10-03T23:34:03.409490317-07:00",
        "size": held.size_bytes,
        "digest": "a2af6cc3eb7fa8be8504abaf9b04e88f17a119ec3f04a3addf55f92841195f5a",
        "details": details(held),
    }


def show(held: Held) -> dict[str, Any]:
    """Return an answer of `POST /api/show`."""
    info: dict[str, Any] = {
        "general.architecture": held.arch,
        "general.file_type": 15,
        "general.parameter_count": 4022468096,
        f"{held.arch}.attention.head_count": 32,
        f"{held.arch}.block_count": 36,
        f"{held.arch}.context_length": held.window,
        f"{held.arch}.embedding_length": 2560,
        f"{held.arch}.rope.freq_base": 1000000,
        "tokenizer.ggml.bos_token_id": 151643,
        "tokenizer.ggml.merges": None,
        "tokenizer.ggml.tokens": None,
    }
    told = {} if held.capabilities is None else {"capabilities": list(held.capabilities)}
    return {
        "license": "Apache License",
        "modelfile": "# Modelfile",
        "parameters": "temperature 0.6\nnum_ctx 2048",
        "template": "{{ .Prompt }}",
        "details": details(held),
        "model_info": {key: value for key, value in info.items() if key != f"{held.arch}.context_length" or value},
        **told,
        "modified_at": "2026-10-03T23:34:03.409490317-07:00",
    }


def reply(text: str) -> Script:
    """Return the answer of `POST /api/chat` that is not streamed, for both kinds of request."""
    body = {
        "model": "qwen3:4b",
        "created_at": "2026-11-25T10:00:00.000000000Z",
        "message": {"role": "assistant", "content": text},
        "done": True,
        "done_reason": "stop",
        "total_duration": 5_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_count": 11,
        "prompt_eval_duration": 1_000_000,
        "eval_count": 3,
        "eval_duration": 1_000_000,
    }
    return play(Send(sized(200, json.dumps(body).encode())))


class ScriptedOllama(ScriptedProvider):
    """
    An Ollama with these models.

    `shown` are the requests about single models; those in `silent` are never answered. Everything else is played
    as by `ScriptedProvider`.
    """

    def __init__(self, held: Mapping[str, Held], script: Script | None = None, *, silent: tuple[str, ...] = ()) -> None:
        super().__init__(script or reply("from ollama"), models=tuple(held))
        self.held = dict(held)
        self.silent = silent
        self.shown: list[Request] = []

    @property
    def base_url(self) -> str:
        """Return the base URL to configure."""
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, connection: Connection, request: Request) -> None:
        """One request has been recorded and answered."""
        if (request.method, request.target) == ("GET", "/api/tags"):
            self.listings.append(request)
            rows = [tag(name, held) for name, held in self.held.items()]
            connection.transport.write(sized(200, json.dumps({"models": rows}).encode(), connection="close"))
            raise ConnectionAbortedError
        if (request.method, request.target) != ("POST", "/api/show"):
            await super().answer(connection, request)
            return
        self.shown.append(request)
        if request.model in self.silent:
            await self.play(connection, request, Silence())
        held = self.held.get(request.model)
        error = {"error": f"model '{request.model}' not found"}
        body = json.dumps(error if held is None else show(held)).encode()
        connection.transport.write(sized(404 if held is None else 200, body, connection="close"))
        raise ConnectionAbortedError
