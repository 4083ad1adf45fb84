"""What was found on a machine becomes the routes `default` and `local`."""

from __future__ import annotations

import pytest

from everup.config.firstrun import SOURCE, compose, load_found
from everup.shapes.found import Facts, Found, FoundProvider
from everup.shapes.route import Caps
from everup.shapes.secret import SourceKind

OLLAMA = FoundProvider(
    name="ollama", base_url="http://127.0.0.1:11434", is_local=True, models=("qwen3", "gemma"), model="qwen3"
)
OPENAI = FoundProvider(name="openai", key_env="OPENAI_API_KEY", models=("gpt-5", "gpt-5-mini"), model="gpt-5-mini")
ROUTER = FoundProvider(name="openrouter", key_env="OPENROUTER_API_KEY", models=("openai/gpt-5", "x/y"), model="x/y")
SMOL = "SmolLM2-135M"


def chains(found: Found, override: str = "") -> dict[str, list[str]]:
    """Return the routes that come of it."""
    return {
        name: [str(ref) for ref in route.chain] for name, route in load_found(found, override).snapshot.routes.items()
    }


def test_remote_models_come_before_local_ones() -> None:
    """The route `default` asks remote providers first, then local servers, each in the order found."""
    found = Found(providers=(OLLAMA, OPENAI, ROUTER))
    assert {"default": ["openai/gpt-5-mini", "openrouter/x/y", "ollama/qwen3"]} == chains(found)


def test_the_embedded_model_is_apart_when_something_else_answers() -> None:
    """With anything else found the embedded model is the route `local` only."""
    found = Found(providers=(OPENAI,), embedded_model=SMOL)
    assert {"default": ["openai/gpt-5-mini"], "local": [f"embedded/{SMOL}"]} == chains(found)


@pytest.mark.parametrize("providers", [(), (FoundProvider(name="openai", key_env="OPENAI_API_KEY"),)])
def test_the_embedded_model_is_the_default_when_nothing_else_answers(providers: tuple[FoundProvider, ...]) -> None:
    """With no other model found the embedded one is the route `default`."""
    assert {"default": [f"embedded/{SMOL}"]} == chains(Found(providers=providers, embedded_model=SMOL))


def test_nothing_found_is_a_snapshot_without_routes() -> None:
    """With nothing found there is a snapshot all the same, so that everup can start and say what to do."""
    loaded = load_found(Found())
    assert ({}, {}, ()) == (loaded.snapshot.routes, loaded.snapshot.providers, loaded.problems)
    assert loaded.snapshot.source == SOURCE


@pytest.mark.parametrize(
    ("override", "first"),
    [
        ("ollama/gemma", "ollama/gemma"),
        ("ollama/not-listed", "ollama/not-listed"),
        ("gemma", "ollama/gemma"),
        ("gpt-5-mini", "openai/gpt-5-mini"),
        ("openai/gpt-5", "openai/gpt-5"),
        ("x/y", "openrouter/x/y"),
        (f"embedded/{SMOL}", f"embedded/{SMOL}"),
        (SMOL, f"embedded/{SMOL}"),
    ],
)
def test_everup_model_comes_first(override: str, first: str) -> None:
    """`EVERUP_MODEL` names `provider/model` or a bare id that a found provider lists, and is asked first, once."""
    chain = chains(Found(providers=(OPENAI, ROUTER, OLLAMA), embedded_model=SMOL), override)["default"]
    assert first == chain[0]
    assert chain.count(first) == 1


def test_a_slashed_id_of_a_router_is_understood_without_the_provider_it_names() -> None:
    """`openai/gpt-5` is the router's model when no provider `openai` was found."""
    assert chains(Found(providers=(ROUTER,)), "openai/gpt-5")["default"] == [
        "openrouter/openai/gpt-5",
        "openrouter/x/y",
    ]


def test_an_everup_model_that_nothing_answers_to_is_told() -> None:
    """A model that no found provider has changes nothing and is warned of, with what was found."""
    loaded = load_found(Found(providers=(OPENAI,)), "claude-9")
    assert [str(ref) for ref in loaded.snapshot.routes["default"].chain] == ["openai/gpt-5-mini"]
    assert "EVERUP_MODEL is left aside" in loaded.problems[0].reason
    assert "(openai)" in loaded.problems[0].reason


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("groq/x", "groq was not found: set GROQ_API_KEY"),
        ("lmstudio/x", "lmstudio was not found at http://127.0.0.1:1234/v1"),
        ("openai/gpt-5-minl", "openai does not list this model; did you mean `gpt-5-mini`?"),
        ("azure/mine", "azure has another address for everyone: name it in a config file"),
        ("openai/gpt-5-mini", ""),
    ],
)
def test_an_everup_model_is_checked_against_what_was_found(override: str, words: str) -> None:
    """A model that its provider does not list, or whose provider is not here, is told with what would help."""
    problems = load_found(Found(providers=(OPENAI,)), override).problems
    assert (words in problems[0].reason) if words else (problems == ())


def test_the_default_route_stands_first() -> None:
    """What a person reads first is the route that is used when nothing is said."""
    assert ["default", "local"] == list(chains(Found(providers=(OPENAI,), embedded_model=SMOL)))


def test_keys_are_references() -> None:
    """A found key is a reference to its variable, and a local server is asked without one."""
    providers = load_found(Found(providers=(OPENAI, OLLAMA), embedded_model=SMOL)).snapshot.providers
    kinds = {name: provider.profiles[0].source.kind for name, provider in providers.items()}
    assert {"openai": SourceKind.ENV, "ollama": SourceKind.KEYLESS, "embedded": SourceKind.EMBEDDED} == kinds
    assert providers["ollama"].is_local


def test_the_document_has_the_shape_of_a_file() -> None:
    """What is composed is what a person could have written."""
    assert {
        "providers": {"openai": {"key": "env:OPENAI_API_KEY"}},
        "routes": {"default": {"try": ["openai/gpt-5-mini"]}},
    } == compose(Found(providers=(OPENAI,)))


def test_an_odd_model_name_is_left_out_and_told() -> None:
    """A local server whose model id cannot be used costs that model and nothing else."""
    odd = FoundProvider(name="llamacpp", base_url="http://127.0.0.1:8080/v1", is_local=True, model="a\nb")
    loaded = load_found(Found(providers=(OPENAI, odd)))
    assert ["openai/gpt-5-mini"] == [str(ref) for ref in loaded.snapshot.routes["default"].chain]
    assert loaded.errors


TOLD = FoundProvider(
    name="ollama",
    base_url="http://127.0.0.1:11434",
    is_local=True,
    models=("qwen3", "a\nb", "gemma", "silent"),
    model="qwen3",
    facts={
        "qwen3": Facts(caps=Caps(tools=True, images=False, reasoning=True), context_tokens_max=40960, is_chat=True),
        "a\nb": Facts(context_tokens_max=1),
        "gemma": Facts(caps=Caps(images=True)),
        "silent": Facts(),
    },
)


def test_what_is_known_of_models_comes_along() -> None:
    """Windows and capabilities that a server told are known of its models, so that plans can use them."""
    loaded = load_found(Found(providers=(TOLD,)))
    models = loaded.snapshot.models
    assert () == loaded.problems
    assert ["ollama/gemma", "ollama/qwen3"] == sorted(models)
    qwen3 = models["ollama/qwen3"]
    assert (40960, Caps(tools=True, images=False, reasoning=True)) == (qwen3.context_tokens_max, qwen3.caps)
    assert (None, True) == (models["ollama/gemma"].context_tokens_max, models["ollama/gemma"].caps.images)


def test_of_a_remote_list_only_what_is_asked_comes_along() -> None:
    """Of the many models that a remote provider lists only those of the chain are taken into the configuration."""
    anthropic = FoundProvider(
        name="anthropic",
        key_env="ANTHROPIC_API_KEY",
        models=("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5"),
        model="claude-haiku-5-5",
        facts={model: Facts(context_tokens_max=200000) for model in ("claude-haiku-5-5", "claude-sonnet-5-5", "x")},
    )
    found = Found(providers=(anthropic,))
    assert ["anthropic/claude-haiku-5-5"] == list(load_found(found).snapshot.models)
    overridden = load_found(found, "anthropic/claude-sonnet-5-5").snapshot
    assert ["anthropic/claude-haiku-5-5", "anthropic/claude-sonnet-5-5"] == sorted(overridden.models)
    assert overridden.models["anthropic/claude-haiku-5-5"].caps.tools


def test_anthropic_comes_before_ollama() -> None:
    """With a key for Anthropic and an Ollama the route `default` asks Anthropic first, then the machine's own model."""
    anthropic = FoundProvider(name="anthropic", key_env="ANTHROPIC_API_KEY", model="claude-haiku-5-5")
    found = Found(providers=(anthropic, OPENAI, TOLD))
    assert ["anthropic/claude-haiku-5-5", "openai/gpt-5-mini", "ollama/qwen3"] == chains(found)["default"]
    providers = load_found(found).snapshot.providers
    assert {"anthropic": "anthropic", "openai": "openai_chat", "ollama": "ollama"} == {
        name: provider.wire for name, provider in providers.items()
    }
    assert SourceKind.KEYLESS is providers["ollama"].profiles[0].source.kind
