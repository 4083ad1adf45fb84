"""A snapshot shown as TOML gives the same snapshot back, and never a secret."""

from __future__ import annotations

import tomllib

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everup.config.parse import load, load_document
from everup.config.problem import Report
from everup.config.show import render
from everup.shapes.limits import Limits
from everup.shapes.snapshot import Snapshot

PATH = "/etc/everup/everup.toml"
CANARY = "sk-CANARY7x9-long-enough"

NAMES = st.from_regex(r"[a-z0-9_][A-Za-z0-9._-]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
SECONDS = st.floats(0.001, 10_000)
CAPS = {name: st.booleans() for name in ("tools", "images", "structured", "reasoning")}
CLOCKS = dict.fromkeys(("first_event", "opening", "stall", "answer"), SECONDS)
KEYS = st.sampled_from(["env:KEY_ONE", "env:KEY_TWO", "file:a b/key", "file:~/key", "none"])
PROFILES = st.lists(
    st.fixed_dictionaries(
        {"id": NAMES, "key": KEYS}, optional={"priority": st.integers(0, 9), "concurrency": st.integers(1, 9)}
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda profile: profile["id"],
)
PROVIDERS = st.dictionaries(
    NAMES,
    st.fixed_dictionaries(
        {"base_url": st.sampled_from(["https://a.example/v1", "http://127.0.0.1:9/v1/", "https://[::1]:8443/x/v2"])},
        optional={
            "profiles": PROFILES,
            "local": st.booleans(),
            "queue_max": st.integers(0, 9),
            "ca_file": st.just("/etc/ca.pem"),
            "auth_header": st.just("X-Api-Key"),
            "auth_prefix": st.sampled_from(["", "Token "]),
            "wire": st.sampled_from(["openai_chat", "anthropic", "ollama"]),
            "cache": st.sampled_from(["auto", "client"]),
            **CAPS,
        },
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, object]:
    """Return a document without faults or literal keys."""
    providers = draw(PROVIDERS)
    refs = st.builds(
        "{}/{}".format, st.sampled_from(sorted([*providers, "groq", "embedded"])), NAMES | st.just("x/y:z q")
    )
    models = st.fixed_dictionaries(
        {},
        optional={
            "params": st.dictionaries(
                TEXTS.filter(lambda key: key not in {"model", "messages", "stream"}), JSON, max_size=3
            ),
            "window": st.integers(1, 10**9),
            "price": st.fixed_dictionaries({}, optional={"input": st.floats(0, 100), "cached": st.floats(0, 100)}),
            "clocks": st.fixed_dictionaries({}, optional=CLOCKS),
            **CAPS,
        },
    )
    route = st.fixed_dictionaries(
        {"try": st.lists(refs, min_size=1, max_size=4, unique=True)},
        optional={"deadline": SECONDS, "patience": st.floats(0, 9), "attempts_max": st.integers(1, 9), **CLOCKS},
    )
    routes = draw(st.dictionaries(NAMES, route, min_size=1, max_size=3))
    client = st.fixed_dictionaries(
        {"key": st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True) | st.just("env:APP")},
        optional={"scopes": st.just(["admin"]), "routes": st.just([min(routes)])},
    )
    return {
        "server": draw(
            st.fixed_dictionaries({}, optional={"port": st.integers(0, 65535), "hosts": st.just(["a.example"])})
        ),
        "limits": draw(st.fixed_dictionaries({}, optional={"deadline_s": SECONDS, "queue_max": st.integers(0, 9)})),
        "providers": providers,
        "models": draw(st.dictionaries(refs, models, max_size=3)),
        "routes": routes,
        "aliases": draw(st.dictionaries(st.sampled_from(["claude-*", "gpt 4", 'q"\\']), st.just(min(routes)))),
        "clients": draw(st.dictionaries(NAMES, client, max_size=1)),
    }


def meaning(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot without what tells one text from another."""
    return msgspec.structs.replace(snapshot, sha256="", warnings=(), source="")


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(document=documents(), defaults=st.booleans())
def test_what_is_shown_gives_the_same_snapshot_back(document: dict[str, object], *, defaults: bool) -> None:
    """Any configuration survives being shown and read again, with and without the defaults."""
    first = load_document(document, Report(PATH))
    assert () == first.errors
    second = load(render(first.snapshot, defaults=defaults), PATH)
    assert () == second.errors
    assert meaning(first.snapshot) == meaning(second.snapshot)


def test_no_secret_is_shown() -> None:
    """A key that stands in the config file is hidden, in profiles and for clients."""
    text = f'[providers.groq]\nkey = "{CANARY}"\n[clients.c]\nkey = "{CANARY}"\n'
    shown = render(load(text, PATH).snapshot, defaults=True)
    assert CANARY not in shown
    assert "***" in shown
    assert tomllib.loads(shown)["clients"]["c"]["key"].startswith("sha256:")


def test_defaults_shows_every_limit() -> None:
    """Every limit is a setting whose default can be seen (ruling 14)."""
    shown = tomllib.loads(render(Snapshot(), defaults=True))
    assert msgspec.structs.asdict(Limits()) == shown["limits"]
    assert shown["server"]["port"] == 4400


def test_nothing_configured_shows_nothing() -> None:
    """Without defaults an empty configuration is an empty text."""
    assert render(Snapshot()).strip() == ""
