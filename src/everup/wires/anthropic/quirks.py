"""
What single providers of this wire do differently.

Lives here: the names of the flags. Must not: which provider has which flag (see `providers`), and what the models
take (see `models`).
"""

from __future__ import annotations

NO_SYSTEM_TURNS = "no_system_turns"
"""
Takes no instructions amid a conversation, whatever the model.

Clouds that host Claude (Bedrock, Vertex, Foundry) do not offer them.
"""
