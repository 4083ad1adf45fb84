"""A document to a snapshot: every table's settings, and every table's faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everup.config.parse import Loaded, load, load_document
from everup.config.problem import PROBLEMS_MAX, Report

PATH = "/etc/everup/everup.toml"


def read(text: str) -> Loaded:
    """Return a text loaded as the file of these tests."""
    return load(text, PATH)


def told(text: str) -> list[str]:
    """Return the problems of a text as lines without the path."""
    return [
        f"{problem.severity.value} {problem.line}:{problem.column} {problem.reason}" for problem in read(text).problems
    ]


def only(text: str) -> str:
    """Return the one problem of a text."""
    problems = told(text)
    assert len(problems) == 1, problems
    return problems[0]


GOOD = """
[server]
port = 4401
origins = ["https://app.example"]
[limits]
deadline_s = 120
[providers.openai]
[providers.mine]
base_url = "https://llm.example/v1/"
profiles = [
  { id = "one", key = "env:MINE_1", priority = 1 },
  { id = "two", key = "file:two.key", concurrency = 4 },
]
tools = false
[models."mine/qwen/qwen3:8b"]
params = { temperature = 0.2, stop = ["\\n"] }
window = 32768
price = { input = 0.1, output = 1 }
clocks = { stall = 5 }
[routes.default]
try = ["openai/gpt-5-mini", "mine/qwen/qwen3:8b"]
deadline = 60
patience = 0
first_event = 2.5
attempts_max = 3
[aliases]
"claude-*" = "default"
[clients.app]
key = "env:APP_KEY"
scopes = ["admin"]
routes = ["default", "mine/x"]
"""


def test_a_good_file_has_no_problems() -> None:
    """Everything the documents show is accepted without a warning."""
    assert () == read(GOOD).problems


def test_a_good_file_becomes_shapes() -> None:
    """Each setting arrives in its field, under its unit, with what is known of a provider filled in."""
    snapshot = read(GOOD).snapshot
    assert snapshot.server.port == 4401
    assert snapshot.limits.deadline_s == 120.0
    openai, mine = snapshot.providers["openai"], snapshot.providers["mine"]
    assert [str(profile.source.describe()) for profile in openai.profiles] == ["env:OPENAI_API_KEY"]
    assert mine.base_url == "https://llm.example/v1"
    assert [(each.id, each.priority, each.concurrency) for each in mine.profiles] == [("one", 1, None), ("two", 0, 4)]
    assert mine.profiles[1].source.name == str(Path(PATH).parent / "two.key")
    model = snapshot.models["mine/qwen/qwen3:8b"]
    assert (model.ref.provider, model.ref.model) == ("mine", "qwen/qwen3:8b")
    assert (model.caps.tools, model.caps.images) == (False, None)
    assert (model.context_tokens_max, model.price.output_usd, model.clocks.stall_s) == (32768, 1.0, 5.0)
    route = snapshot.routes["default"]
    assert [str(ref) for ref in route.chain] == ["openai/gpt-5-mini", "mine/qwen/qwen3:8b"]
    assert (route.clocks.deadline_s, route.clocks.patience_s, route.attempts_max) == (60.0, 0.0, 3)
    assert snapshot.aliases == {"claude-*": "default"}
    assert {"inference", "admin"} == set(snapshot.clients["app"].scopes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Unknown settings.
        ("[sever]\n", "warning 1:1 sever: unknown setting, ignored; did you mean `server`?"),
        ("[server]\nhots = []\n", "warning 2:1 server.hots: unknown setting, ignored; did you mean `hosts`?"),
        ("[limits]\npatience = 1\n", "warning 2:1 limits.patience: unknown limit, ignored; did you mean `patience_s`?"),
        # Types and bounds.
        ("providers = 3\n", "error 1:1 providers: expected a table, got a whole number"),
        ("[providers]\nx = 1979-05-27\n", "error 2:1 providers.x: expected a table, got a date and time"),
        ('[server]\nport = "4400"\n', "error 2:1 server.port: expected a whole number, got text"),
        ("[server]\nport = 70000\n", "error 2:1 server.port: expected a whole number <= 65535"),
        ('[server]\nhosts = ["a", 3]\n', "error 2:1 server.hosts: expected text, got a whole number (at [1])"),
        ("[providers.groq]\nconcurrency = 0\n", "error 2:1 providers.groq.concurrency: expected a whole number >= 1"),
        ("[providers.groq]\nlocal = 1\n", "error 2:1 providers.groq.local: expected true or false, got a whole number"),
        # The server.
        ('[server]\norigins = ["*"]\n', "error 2:12 server.origins[0]: an origin is exactly"),
        ('[server]\norigins = ["https://a.example/"]\n', "error 2:12 server.origins[0]: an origin is exactly"),
        ('[server]\nhosts = ["a:80"]\n', "error 2:10 server.hosts[0]: a host name without"),
        ('[server]\ntls_cert = "x"\n', "error 2:1 server.tls_cert: `tls_cert` and `tls_key` go together"),
        ('[server]\nhost = "a b"\n', "error 2:1 server.host: this is no address"),
        # Limits.
        ("[limits]\nstall_s = 0\n", "error 2:1 limits.stall_s: expected a number above 0"),
        ("[limits]\npatience_s = -1\n", "error 2:1 limits.patience_s: expected a number from 0"),
        ("[limits]\ndeadline_s = inf\n", "error 2:1 limits.deadline_s: expected a number above 0"),
        ("[limits]\ndeadline_s = nan\n", "error 2:1 limits.deadline_s: expected a number above 0"),
        ("[limits]\nqueue_max = 1.5\n", "error 2:1 limits.queue_max: expected a whole number"),
        # Providers.
        ('[providers."a b"]\n', 'error 1:1 providers."a b": a name is 1 to 64'),
        ('[providers."../x"]\n', 'error 1:1 providers."../x": a name is 1 to 64'),
        (
            "[providers.opnai]\n",
            "error 1:1 providers.opnai: `base_url` is missing, and this is no provider everup knows; did you mean `op",
        ),
        (
            '[providers.x]\nwire = "gemini"\nbase_url = "https://a.example/v1"\n',
            "error 2:1 providers.x.wire: no such wire; there are: openai_chat, anthropic, ollama",
        ),
        ('[providers.x]\nbase_url = "ftp://a.example/v1"\n', "error 2:1 providers.x.base_url: the URL must begin with"),
        ('[providers.x]\nbase_url = "https:///v1"\n', "error 2:1 providers.x.base_url: the URL has no host"),
        (
            '[providers.x]\nbase_url = "https://u:p@a.example/v1"\n',
            "error 2:1 providers.x.base_url: credentials do not belong",
        ),
        (
            '[providers.x]\nbase_url = "https://a.example/v1?key=1"\n',
            "error 2:1 providers.x.base_url: the URL must end with",
        ),
        (
            '[providers.x]\nbase_url = "https://a.example:99999/v1"\n',
            "error 2:1 providers.x.base_url: this is not a URL",
        ),
        (
            '[providers.x]\nbase_url = "https://a.example/v 1"\n',
            "error 2:1 providers.x.base_url: the URL holds a character",
        ),
        ('[providers.x]\nbase_url = "embedded:"\n', "error 2:1 providers.x.base_url: only the provider `embedded`"),
        ('[providers.embedded]\nkey = "env:A"\n', "error 1:1 providers.embedded: the embedded model's key"),
        (
            '[providers.x]\nbase_url = "http://localhost:9000"\n',
            (
                "warning 2:1 providers.x.base_url: no version in its path: "
                "OpenAI-compatible servers usually answer at http://localhost:9000/v1"
            ),
        ),
        (
            '[providers.x]\nbase_url = "http://localhost:9000/api"\n',
            "warning 2:1 providers.x.base_url: no version in its path",
        ),
        (
            '[providers.x]\nbase_url = "http://localhost/v1/chat/completions"\n',
            "warning 2:1 providers.x.base_url: everup adds",
        ),
        (
            '[providers.openai]\nbase_url = "https://api.openai.com"\n',
            "warning 2:1 providers.openai.base_url: openai's usual address is https://api.openai.com/v1",
        ),
        (
            '[providers.x]\nbase_url = "http://a.example/v1"\nkey = "env:A"\n',
            "warning 2:1 providers.x.base_url: http:// sends the key unencrypted",
        ),
        (
            '[providers.openai]\nbase_url = "https://proxy.example/v1"\n',
            "warning 1:1 providers.openai: asked without a key",
        ),
        ('[providers.groq]\nauth_header = "Host"\n', "error 2:1 providers.groq.auth_header: this is no header"),
        ('[providers.groq]\nkey = ""\n', "error 2:1 providers.groq.key: the key is empty"),
        ('[providers.groq]\nkey = "env:A-B"\n', "error 2:1 providers.groq.key: after `env:` comes the name"),
        ('[providers.groq]\nkey = "exec:/bin/x"\n', "error 2:1 providers.groq.key: only `env:NAME`"),
        ('[providers.groq]\nkey = "a b"\n', "error 2:1 providers.groq.key: the key holds a space"),
        ('[providers.groq]\nkey = "a\\nb"\n', "error 2:1 providers.groq.key: control characters"),
        ('[providers.groq]\nkey = "abc"\n', "warning 2:1 providers.groq.key: the key itself stands in this file"),
        ('[providers.groq]\nkey = "env:A"\nprofiles = []\n', "error 2:1 providers.groq.key: `key` is the short form"),
        ("[providers.groq]\nprofiles = []\n", "error 2:1 providers.groq.profiles: none of the profiles"),
        (
            '[providers.groq]\nprofiles = [{id="a", key="env:A"}, {id="a", key="env:B"}]\n',
            "error 2:37 providers.groq.profiles[1].id: an earlier profile",
        ),
        (
            '[providers.groq]\nprofiles = [{id="a", key="env:A"}, {id="b"}]\n',
            "error 2:36 providers.groq.profiles[1]: `key` is missing",
        ),
        # Models.
        ("[models.x]\n", 'error 1:1 models.x: a model is written "provider/model"'),
        ('[models."nope/x"]\n', 'error 1:1 models."nope/x": no provider `nope` is in use'),
        ('[models."groq/x"]\nparams = {model = "y"}\n', 'error 2:11 models."groq/x".params.model: a request\'s own'),
        ('[models."groq/x"]\nparams = {a = [1979-05-27]}\n', 'error 2:11 models."groq/x".params.a: JSON has no dates'),
        ('[models."groq/x"]\nparams = {a = inf}\n', 'error 2:11 models."groq/x".params.a: JSON has no infinity'),
        ('[models."groq/x"]\nprice = {input = -1}\n', 'error 2:10 models."groq/x".price.input: expected a number >= 0'),
        (
            '[models."groq/x"]\nclocks = {stal = 1}\n',
            'warning 2:11 models."groq/x".clocks.stal: unknown setting, ignored; did you mean `stall`?',
        ),
        # Routes.
        ("[routes.r]\n", "error 1:1 routes.r: `try` is missing"),
        ("[routes.r]\ntry = []\n", "error 2:1 routes.r.try: no model is left"),
        ('[routes.r]\ntry = ["groq/a", "groq/a"]\n', "warning 2:18 routes.r.try[1]: named before"),
        (
            '[routes.r]\ntry = ["groq/a", "gorq/b"]\n',
            "error 2:18 routes.r.try[1]: no provider `gorq` is in use; did you mean `groq`?",
        ),
        ('[routes.r]\ntry = ["groq/a", "r"]\n', "error 2:18 routes.r.try[1]: `r` is a route"),
        ('[routes.r]\ntry = ["groq/a", "x"]\n', "error 2:18 routes.r.try[1]: a chain holds only"),
        ('[routes."a/b"]\ntry = ["groq/a"]\n', 'error 1:1 routes."a/b": a name is 1 to 64'),
        ('[routes.r]\ntry = ["groq/a"]\nstall = 0\n', "error 3:1 routes.r.stall: expected a number > 0"),
        # Aliases.
        ("[aliases]\na = 1\n", "error 2:1 aliases.a: expected the name"),
        ('[aliases]\na = "a"\n', "error 2:1 aliases.a: `a` is an alias itself"),
        ('[aliases]\na = "gpt"\n', "warning 2:1 aliases.a: leads to no route"),
        ('[aliases]\na = "nope/x"\n', "error 2:1 aliases.a: no provider `nope` is in use"),
        # Clients.
        ("[clients.c]\n", "error 1:1 clients.c: `key` is missing"),
        ('[clients.c]\nkey = "none"\n', "error 2:1 clients.c.key: a client always has a key"),
        ('[clients.c]\nkey = "sha256:12"\n', "error 2:1 clients.c.key: after `sha256:` come 64"),
        ('[clients.c]\nkey = "short"\n', "error 2:1 clients.c.key: the key is too easy to guess"),
        ('[clients.c]\nkey = "a-long-enough-literal"\n', "warning 2:1 clients.c.key: the key itself stands"),
        ('[clients.c]\nkey = "env:A"\nscopes = ["root"]\n', "error 3:11 clients.c.scopes[0]: no such scope"),
        ('[clients.c]\nkey = "env:A"\nroutes = []\n', "error 3:1 clients.c.routes: the list is empty"),
        ('[clients.c]\nkey = "env:A"\nroutes = ["x"]\n', "error 3:11 clients.c.routes[0]: no route or model `x`"),
    ],
)
def test_each_fault_is_named_with_its_place(text: str, expected: str) -> None:
    """A fault gives one problem with the right severity, line, column, setting, reason and nearest name."""
    assert only(text).startswith(expected)


def test_every_fault_is_reported_at_once() -> None:
    """A file with many faults is corrected in one go, for all are told, in the order of the text."""
    text = '[server]\nport = "x"\nhosts = 1\n[providers.a]\nwire = "w"\nbase_url = "ftp://x"\n[limits]\nstall_s = 0\n'
    assert [2, 3, 5, 6, 8] == [problem.line for problem in read(text).problems]


def test_one_bad_entry_switches_off_only_itself() -> None:
    """Bad entries beside good ones leave the good ones in use."""
    bad = '[providers.bad]\nbase_url = 3\n[routes.bad]\ntry = ["bad/x"]\n[clients.bad]\nkey = 1\n[models."bad/x"]\n'
    loaded = read(GOOD + bad)
    good = read(GOOD).snapshot
    assert {"bad"} == {str(problem.reason.split(".")[1].split(":")[0]) for problem in loaded.errors} - {'"bad/x"'}
    assert (good.providers, good.routes, good.clients, good.models) == (
        loaded.snapshot.providers,
        loaded.snapshot.routes,
        loaded.snapshot.clients,
        loaded.snapshot.models,
    )


def test_a_bad_server_table_falls_back_to_loopback() -> None:
    """A fault anywhere in [server] leaves host and port at their safe defaults."""
    loaded = read('[server]\nhost = "0.0.0.0"\ntls_cert = "x"\n')
    assert loaded.errors
    assert loaded.snapshot.server.host == "127.0.0.1"


def test_a_bad_limit_keeps_its_default() -> None:
    """One bad limit does not touch the others."""
    limits = read("[limits]\nstall_s = 0\ndeadline_s = 5\n").snapshot.limits
    assert (limits.stall_s, limits.deadline_s) == (20.0, 5.0)


def test_a_known_provider_needs_no_table() -> None:
    """A chain may name a known provider that has no table; its key's variable comes with it."""
    loaded = read('[routes.default]\ntry = ["groq/llama", "embedded/smol"]\n')
    assert () == loaded.problems
    assert ["groq", "embedded"] == list(loaded.snapshot.providers)
    assert loaded.snapshot.providers["groq"].profiles[0].source.name == "GROQ_API_KEY"
    assert loaded.snapshot.providers["embedded"].caps.tools is False


def test_a_known_provider_with_a_faulty_table_stays_off() -> None:
    """A chain does not bring back a provider whose table has a fault, for its key may be meant for another address."""
    loaded = read('[providers.groq]\nbase_url = "ftp://x"\n[routes.r]\ntry = ["groq/a"]\n')
    assert {} == loaded.snapshot.providers
    assert "off because of its own errors" in "".join(map(str, loaded.problems))


def test_a_client_whose_routes_are_unknown_may_not_ask_for_everything() -> None:
    """A route name that leads nowhere restricts a client rather than opening every route to it."""
    client = read('[clients.c]\nkey = "env:A"\nroutes = ["gone"]\n').snapshot.clients["c"]
    assert {"gone"} == client.routes


def test_two_clients_with_one_key_are_told_apart() -> None:
    """The second client with the same digest is off."""
    digest = "sha256:" + "ab" * 32
    loaded = read(f'[clients.a]\nkey = "{digest}"\n[clients.b]\nkey = "{digest.upper().replace("SHA", "sha")}"\n')
    assert ["a"] == list(loaded.snapshot.clients)
    assert "another client has the same key" in str(loaded.errors[0])


def test_a_file_of_garbage_gives_a_bounded_report() -> None:
    """Ten thousand faults give a short list and a count."""
    problems = read("[limits]\n" + "".join(f"x{n} = 1\n" for n in range(10_000))).problems
    assert len(problems) == PROBLEMS_MAX + 1
    assert "9800 more problems" in problems[-1].reason


NAMES = st.sampled_from(
    ["server", "limits", "providers", "models", "routes", "aliases", "clients", "x", "groq/x", "key", "try"]
)
VALUES = st.recursive(
    st.one_of(
        st.integers(), st.floats(), st.booleans(), st.text(max_size=8), st.sampled_from(["groq/x", "env:A", "x"])
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, st.dictionaries(NAMES | st.text(max_size=5), VALUES, max_size=4), max_size=5))
def test_any_document_is_built_or_reported(document: dict[str, object]) -> None:
    """Any nesting of any values, also where tables are expected, never raises."""
    loaded = load_document(document, Report(PATH))
    assert all(problem.line == 0 for problem in loaded.problems)
