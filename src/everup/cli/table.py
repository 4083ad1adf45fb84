"""
The start table: what was found, shown before anything is paid for.

What must not live here: looking for it, printing it. Pure text from values; called through `run`.
"""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from everup import __version__
from everup.cli.screen import columns
from everup.shapes.route import EMBEDDED_URL

if TYPE_CHECKING:
    from everup.shapes.found import Found, FoundProvider
    from everup.shapes.snapshot import Snapshot

WHEN_NEEDED = "on this machine, started when first needed"
NOTHING = """Nothing was found that could answer: no provider's key, no model server on this machine, no embedded model.
Requests get a 503 that says so. Do one of these; everup picks up a server or a model file by itself:
  everup local get                   fetch a small model that runs on this machine (98 MB)
  export OPENAI_API_KEY=...          (or OPENROUTER_, GROQ_, MISTRAL_, DEEPSEEK_API_KEY), then start everup again
  start Ollama, LM Studio or a llama.cpp server"""


def render_found(
    found: Found | None,
    snapshot: Snapshot,
    url: str,
    key_where: str,
    *,
    env_words: str = "",
    platform: str = "",
    program: str = "everup",
    home: str = "",
) -> str:
    """
    Return what there is, routes, address, where the key is, the line to paste.

    `found` is None when a config file says what to use. `url` has no `/v1`; `env_words` are the options that
    `everup env` needs to find this gateway ("--url ..."), nothing when it is where files say it is.
    `program` is how a shell calls everup; `home` is EVERUP_HOME where the environment sets it, for another
    terminal may not.
    """
    origin = "found on this machine" if found else f"configured by {snapshot.source}"
    parts = [f"everup {__version__}, {origin}"]
    rows = [found_row(each) for each in found.providers] if found else configured_rows(snapshot)
    if found and found.embedded_model:
        rows.append(("embedded", found.embedded_model, WHEN_NEEDED))
    if rows:
        parts.append(columns(("PROVIDER", "MODEL", "NOTE"), rows, indent="  "))
    elif found:
        parts.append(NOTHING)
    if found and (found.embedded_note or found.skipped):
        notes = [f"embedded model: {found.embedded_note}"] if found.embedded_note else []
        parts.append("\n".join(f"  {note}" for note in (*notes, *found.skipped)))
    if routes := [(name, ", then ".join(map(str, route.chain)) or "-") for name, route in snapshot.routes.items()]:
        parts.append(columns(("ROUTE", "ANSWERED BY"), routes, indent="  "))
    socket_path = url.removeprefix("unix:") if url.startswith("unix:") else ""
    address = f"the Unix socket {socket_path}" if socket_path else f"{url}/v1"
    parts.append(columns((), (("address", address), ("key", key_where)), indent="  "))
    parts.append(how_to_use(program, env_words, platform or sys.platform, socket_path, home))
    return "\n\n".join(parts)


def found_row(provider: FoundProvider) -> tuple[str, str, str]:
    """Return one found provider: name, model chosen, where it was seen, its note."""
    seen = provider.key_env or (f"on this machine, {provider.base_url}" if provider.is_local else provider.base_url)
    return provider.name, provider.model or "-", ": ".join(filter(None, (seen, provider.note)))


def configured_rows(snapshot: Snapshot) -> list[tuple[str, str, str]]:
    """Return each configured provider: its routed models, address, profiles."""
    rows = []
    for name, provider in snapshot.providers.items():
        chains = [ref for route in snapshot.routes.values() for ref in route.chain if ref.provider == name]
        models = ", ".join(dict.fromkeys(ref.model for ref in chains)) or "-"
        profiles = len(provider.profiles)
        keys = f", {profiles} profiles" if profiles > 1 else ""
        rows.append((name, models, WHEN_NEEDED if provider.base_url == EMBEDDED_URL else f"{provider.base_url}{keys}"))
    return rows


def how_to_use(program: str, env_words: str, platform: str, socket_path: str, home: str) -> str:
    """Return the lines to paste in another terminal."""
    in_sh = f"EVERUP_HOME={shlex.quote(home)} " if home else ""
    in_powershell = "$env:EVERUP_HOME = '{}'; ".format(home.replace("'", "''")) if home else ""
    if socket_path:
        return f"In another terminal:\n  {in_sh}{program} chat --url unix:{socket_path}"
    command = f"{program} env {env_words}".rstrip()
    if platform == "win32":
        paste = (
            f"{in_powershell}{command} | Out-String | Invoke-Expression",
            f'eval "$({in_sh}{command} --shell sh)"   (in Git Bash)',
        )
    else:
        paste = (
            f'eval "$({in_sh}{command})"',
            f"{in_powershell}{command} --shell powershell | Out-String | Invoke-Expression   (PowerShell)",
        )
    return "\n".join(("In another terminal, so that OpenAI clients find it:", *(f"  {line}" for line in paste)))
