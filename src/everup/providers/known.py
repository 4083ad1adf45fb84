"""
One row per known provider: what a config file may leave out.

What must not live here: anything that changes at run time. To add a provider, add a row; `docs/providers.md` says
what each field is. The default models are guesses with a date, checked against the provider's own list before
anything is paid for, and overridden by `EVERUP_MODEL`.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from everup.shapes.route import Caps

WIRES = ("openai_chat", "anthropic", "ollama")
"""The wires a provider can speak, the usual one first; a test keeps this equal to `wires.table`."""

DATED = "2026-11-25"


class KnownProvider(Struct, frozen=True, kw_only=True):
    """
    What is known of one provider.

    `key_env` is the variable its own documents name ("" for servers without a key). Of `default_models` the
    first that its `/models` lists wins; empty means the first listed. `list_prefix` stands before each id in
    that list and is not part of the name. `headers` go with every request. `base_url` is "" where each user has
    another: then `base_url_form` shows what it looks like, and its key goes to hosts that end as `own_hosts` say.
    """

    name: str
    base_url: str
    wire: str = "openai_chat"
    is_local: bool = False
    auth_header: str = "authorization"
    auth_prefix: str = "Bearer "
    key_env: str = ""
    caps: Caps = Caps()
    default_models: tuple[str, ...] = ()
    list_prefix: str = ""
    dated: str = DATED
    quirks: frozenset[str] = frozenset()
    headers: tuple[tuple[str, str], ...] = ()
    base_url_form: str = ""
    own_hosts: tuple[str, ...] = ()
    is_listed: bool = True
    """False where the list names other things than what can be asked for."""


ANTHROPIC = KnownProvider(
    name="anthropic",
    wire="anthropic",
    base_url="https://api.anthropic.com/v1",
    auth_header="x-api-key",
    auth_prefix="",
    key_env="ANTHROPIC_API_KEY",
    # True of every Claude since 3; what a model cannot do itself (a schema) the wire does with a forced tool.
    caps=Caps(tools=True, images=True, structured=True),
    default_models=("claude-haiku-5-5", "claude-sonnet-5-5", "claude-sonnet-5", "claude-haiku-4-5-20251001"),
    headers=(("anthropic-version", "2023-06-01"),),
)
OLLAMA = KnownProvider(name="ollama", wire="ollama", base_url="http://127.0.0.1:11434", is_local=True)

ROWS = (
    ANTHROPIC,
    KnownProvider(
        name="openai",
        base_url="https://api.openai.com/v1",
        key_env="OPENAI_API_KEY",
        default_models=("gpt-5.4-mini", "gpt-5-mini", "gpt-4.1-mini", "gpt-4o-mini"),
    ),
    KnownProvider(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        key_env="OPENROUTER_API_KEY",
        quirks=frozenset({"openrouter_words"}),
        default_models=(
            "openai/gpt-5-mini",
            "google/gemini-3.6-flash",
            "openai/gpt-oss-120b",
            "deepseek/deepseek-chat",
        ),
    ),
    KnownProvider(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        key_env="GROQ_API_KEY",
        default_models=("openai/gpt-oss-120b", "openai/gpt-oss-20b"),
    ),
    KnownProvider(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        key_env="MISTRAL_API_KEY",
        default_models=("mistral-small-latest", "mistral-medium-latest", "mistral-large-latest"),
        # 422 "Extra inputs are not permitted"; its streams end with the usage anyway.
        quirks=frozenset({"no_stream_options"}),
    ),
    KnownProvider(
        name="deepseek",
        base_url="https://api.deepseek.com",
        key_env="DEEPSEEK_API_KEY",
        default_models=("deepseek-v4-flash", "deepseek-chat"),
    ),
    KnownProvider(
        name="google",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_env="GEMINI_API_KEY",
        default_models=("gemini-3.6-flash", "gemini-3.5-flash", "gemini-2.5-flash"),
        list_prefix="models/",
    ),
    KnownProvider(
        name="xai",
        base_url="https://api.x.ai/v1",
        key_env="XAI_API_KEY",
        default_models=("grok-4.3", "grok-4-1-fast-non-reasoning"),
    ),
    KnownProvider(
        name="together",
        base_url="https://api.together.xyz/v1",
        key_env="TOGETHER_API_KEY",
        default_models=("openai/gpt-oss-120b", "openai/gpt-oss-20b", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    ),
    KnownProvider(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        key_env="FIREWORKS_API_KEY",
        default_models=("accounts/fireworks/models/gpt-oss-120b", "accounts/fireworks/models/gpt-oss-20b"),
    ),
    KnownProvider(
        name="cerebras",
        base_url="https://api.cerebras.ai/v1",
        key_env="CEREBRAS_API_KEY",
        default_models=("gpt-oss-120b", "zai-glm-4.7"),
    ),
    KnownProvider(
        name="azure",
        base_url="",
        auth_header="api-key",
        auth_prefix="",
        key_env="AZURE_OPENAI_API_KEY",
        base_url_form="https://RESOURCE.openai.azure.com/openai/v1",
        own_hosts=(".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"),
        is_listed=False,  # its list names the models there are, and asked for are your deployments
    ),
    OLLAMA,
    KnownProvider(name="lmstudio", base_url="http://127.0.0.1:1234/v1", is_local=True),
    KnownProvider(name="llamacpp", base_url="http://127.0.0.1:8080/v1", is_local=True),
    KnownProvider(name="vllm", base_url="http://127.0.0.1:8000/v1", is_local=True),
    KnownProvider(
        name="embedded",
        base_url="embedded:",
        is_local=True,
        # SmolLM2-135M calls no tools and sees no images; its server holds any answer to a JSON schema.
        caps=Caps(tools=False, images=False, structured=True, reasoning=False),
    ),
)

KNOWN: dict[str, KnownProvider] = {row.name: row for row in ROWS}
"""By name; never changed."""

USUAL = {"openai_chat": KnownProvider(name="", base_url=""), "anthropic": ANTHROPIC, "ollama": OLLAMA}
"""By wire: whose ways any other provider of the wire is expected to have."""


def row_of(name: str, wire: str) -> KnownProvider:
    """
    Return what is known of a provider that speaks this wire.

    Of one without a row, or one that speaks another wire than its row says, how the key is sent is the wire's.
    """
    usual, known = USUAL[wire], KNOWN.get(name)
    if known is not None and known.wire == wire:
        return known
    own = known or KnownProvider(name=name, base_url="", is_local=usual.is_local)
    return replace(
        own,
        wire=wire,
        auth_header=usual.auth_header,
        auth_prefix=usual.auth_prefix,
        headers=usual.headers,
        caps=Caps(),
        quirks=frozenset(),
    )
