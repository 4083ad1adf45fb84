"""The start table."""

from __future__ import annotations

from everup.cli.table import render_found
from everup.shapes.found import Found, FoundProvider
from everup.shapes.route import ModelRef, Profile, Provider, Route
from everup.shapes.snapshot import Snapshot

OPENAI = FoundProvider(name="openai", key_env="OPENAI_API_KEY", model="gpt-x", note="key accepted, 40 models")
OLLAMA = FoundProvider(name="ollama", base_url="http://127.0.0.1:11434", is_local=True, model="qwen3")
CHAIN = (ModelRef("openai", "gpt-x"), ModelRef("ollama", "qwen3"))
SNAPSHOT = Snapshot(
    source="found on this machine",
    routes={"default": Route(name="default", chain=CHAIN)},
    providers={
        "openai": Provider(
            name="openai",
            wire="openai_chat",
            base_url="https://api.openai.example/v1",
            profiles=(Profile(id="a", provider="openai"), Profile(id="b", provider="openai")),
        )
    },
)
URL, KEY = "http://127.0.0.1:4400", "/x/key"


def test_what_was_found() -> None:
    """Providers with their models, the route, the address, where the key is, and the line to paste."""
    text = render_found(Found(providers=(OPENAI, OLLAMA)), SNAPSHOT, URL, KEY, platform="linux")
    assert "  openai    gpt-x  OPENAI_API_KEY: key accepted, 40 models\n" in text
    assert "  ollama    qwen3  on this machine, http://127.0.0.1:11434\n" in text
    assert "  default  openai/gpt-x, then ollama/qwen3\n" in text
    assert "  address  http://127.0.0.1:4400/v1\n  key      /x/key\n" in text
    assert '\n  eval "$(everup env)"\n' in text
    assert "Nothing was found" not in text


def test_only_the_embedded_model() -> None:
    """The embedded model has its row."""
    text = render_found(Found(embedded_model="smollm2"), Snapshot(), URL, KEY)
    assert "  embedded  smollm2  on this machine, started when first needed" in text


def test_nothing_found() -> None:
    """When nothing was found the table says what to do, and why the embedded model cannot run."""
    text = render_found(Found(embedded_note="xllamacpp is not installed"), Snapshot(), URL, KEY)
    assert "Nothing was found that could answer" in text
    assert "everup local get" in text
    assert "  embedded model: xllamacpp is not installed\n" in text


def test_a_config_file() -> None:
    """With a config file its providers stand there, with the models of the routes."""
    text = render_found(None, SNAPSHOT, URL, KEY)
    assert "configured by found on this machine" in text
    assert "  openai    gpt-x  https://api.openai.example/v1, 2 profiles" in text


def test_windows() -> None:
    """On Windows the line to paste is PowerShell's."""
    text = render_found(None, SNAPSHOT, URL, KEY, env_words="--url http://x:1", platform="win32")
    assert "\n  everup env --url http://x:1 | Out-String | Invoke-Expression\n" in text


def test_a_unix_socket() -> None:
    """A gateway on a Unix socket is named as such, and the line uses it."""
    text = render_found(None, SNAPSHOT, "unix:/run/e.sock", KEY)
    assert "address  the Unix socket /run/e.sock\n" in text
    assert "everup chat --url unix:/run/e.sock" in text


def test_a_home_of_ones_own() -> None:
    """Where EVERUP_HOME is set the line to paste sets it too, quoted for its shell."""
    text = render_found(None, SNAPSHOT, URL, KEY, platform="linux", home="/my home")
    assert "\n  eval \"$(EVERUP_HOME='/my home' everup env)\"\n" in text
    assert "\n  $env:EVERUP_HOME = '/my home'; everup env --shell powershell | " in text
    assert "\n  EVERUP_HOME=/h everup chat --url unix:/s" in render_found(None, SNAPSHOT, "unix:/s", KEY, home="/h")


def test_a_configured_embedded_model() -> None:
    """The embedded model of a config file is described as that of a first run."""
    embedded = Provider(
        name="embedded", wire="openai_chat", base_url="embedded:", profiles=(Profile(id="a", provider="embedded"),)
    )
    text = render_found(None, Snapshot(source="c.toml", providers={"embedded": embedded}), URL, KEY)
    assert "  embedded  -      on this machine, started when first needed\n" in text
