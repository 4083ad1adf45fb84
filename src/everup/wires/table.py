"""
The wires there are, by the word used in config.

Lives here: one row per wire. Must not: anything else. Read by surfaces, the engine and config.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.wires.anthropic.wire import Anthropic
from everup.wires.ollama.wire import Ollama
from everup.wires.openai_chat.wire import OpenAIChat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everup.wires.base import Wire

WIRES: Mapping[str, Wire] = {"openai_chat": OpenAIChat(), "anthropic": Anthropic(), "ollama": Ollama()}
