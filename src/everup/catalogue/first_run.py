"""
What a first run finds: known providers whose key is in the environment.

Lives here: which keys are used, the model chosen for each, and the words about it. Must not: looking for servers of
this machine (`local` does, `app` hands the look in) and making a configuration of it (`config.firstrun`).
One look takes about three seconds at most; `app` repeats it while nothing is found.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from everup.catalogue.ask import Told, ask_models
from everup.providers.known import KNOWN, KnownProvider
from everup.providers.listing import is_chat
from everup.shapes.found import Found, FoundProvider
from everup.shapes.route import Profile, Provider
from everup.shapes.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from everup.catalogue.ask import OriginOf
    from everup.net.client import Client

WITHIN_S = 2.5
REFUSED = 401  # a 403 may be a key that may chat and not list (OpenAI's restricted keys): such a one is kept
PUBLIC_LISTS = frozenset({"openrouter"})  # lists its models to anyone: says nothing about the key


async def find_first_run(
    client: Client,
    origin_of: OriginOf,
    environ: Mapping[str, str],
    *,
    look_local: Callable[[], Awaitable[Found]],
    is_own_key: Callable[[str], bool],
    known: Mapping[str, KnownProvider] = KNOWN,
    within_s: float = WITHIN_S,
) -> Found:
    """Return all that was found: remote providers first, then the local look's."""
    keys, skipped = keys_of(environ, known, is_own_key)
    remote, local = await asyncio.gather(
        asyncio.gather(*(check(client, origin_of, row, secret, within_s) for row, secret in keys)), look_local()
    )
    skipped += [seen for seen in remote if isinstance(seen, str)]
    return Found(
        providers=(*(seen for seen in remote if isinstance(seen, FoundProvider)), *local.providers),
        embedded_model=local.embedded_model,
        embedded_note=local.embedded_note,
        skipped=(*skipped, *local.skipped),
    )


def keys_of(
    environ: Mapping[str, str], known: Mapping[str, KnownProvider], is_own_key: Callable[[str], bool]
) -> tuple[list[tuple[KnownProvider, Secret]], list[str]]:
    """Return known providers with their keys, and sentences about those left out."""
    keys, skipped = [], []
    for row in known.values():
        text = environ.get(row.key_env, "").strip() if row.key_env else ""
        if text and is_own_key(text):
            skipped.append(f"{row.key_env} holds everup's own key, not a key of {row.name}: left out")
        elif text and not row.base_url:
            skipped.append(
                f"{row.key_env} is set, but {row.name} has another address for everyone: "
                f"name it in a config file (base_url = {row.base_url_form})"
            )
        elif text:
            keys.append((row, Secret(text)))
    return keys, skipped


async def check(
    client: Client, origin_of: OriginOf, row: KnownProvider, secret: Secret, within_s: float
) -> FoundProvider | str:
    """Return a provider whose key may work, or the sentence why it is left out."""
    told = await ask_models(client, origin_of, as_provider(row), secret, within_s=within_s)
    if told.status == REFUSED:
        return f"{row.name} refused the key in {row.key_env} (401): left out"
    return FoundProvider(
        name=row.name,
        base_url=row.base_url,
        key_env=row.key_env,
        models=told.models,
        model=choose(row.default_models, told.models),
        note=note_of(row, told),
        facts=told.facts,
    )


def as_provider(row: KnownProvider) -> Provider:
    """Return a known row as a provider with one profile."""
    return Provider(
        name=row.name,
        wire=row.wire,
        base_url=row.base_url,
        auth_header=row.auth_header,
        auth_prefix=row.auth_prefix,
        profiles=(Profile(id=row.name, provider=row.name),),
        headers=row.headers,
    )


def choose(wanted: tuple[str, ...], listed: tuple[str, ...] | None) -> str:
    """Return the first wanted model listed, else the first wanted, else any chat one."""
    first_listed = next((model for model in listed or () if is_chat(model)), "")
    return next((model for model in wanted if model in (listed or ())), wanted[0] if wanted else first_listed)


def note_of(row: KnownProvider, told: Told) -> str:
    """Return in words what the check came to."""
    if told.models is None:
        return f"not checked: {told.why}"
    count = f"{len(told.models)} model{'' if len(told.models) == 1 else 's'}"
    return f"key not checked, {count}" if row.name in PUBLIC_LISTS else f"key accepted, {count}"
