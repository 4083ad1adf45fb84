"""
One row per known provider: what a config file may leave out.

What must not live here: anything that changes at run time. To add an OpenAI-compatible provider, add a row;
`docs/providers.md` says what each field is. The default models are guesses with a date, checked against the
provider's own list before anything is paid for, and overridden by `EVERUP_MODEL`.
"""

from __future__ import annotations

from msgspec import Struct

from everup.shapes.route import Caps

WIRES = ("openai_chat",)
"""The wires a provider can speak; a test keeps this equal to `wires.table`."""

DATED = "2026-11-25"


class KnownProvider(Struct, frozen=True, kw_only=True):
    """
    What is known of one provider.

    `key_env` is the variable its own documents name ("" for servers without a key). Of `default_models` the
    first that its `/models` lists wins; empty means the first listed. `list_prefix` stands before each id in
    that list and is not part of the name. `headers` go with every request.
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


ROWS = (
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
    KnownProvider(name="ollama", base_url="http://127.0.0.1:11434/v1", is_local=True),
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
