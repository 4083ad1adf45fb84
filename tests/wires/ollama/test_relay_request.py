"""A client's request reaches an upstream of its own wire with its very bytes."""

from __future__ import annotations

import json

from tests.wires.ollama.make import LIMITS, WIRE, ask, candidate

BODY = (
    b'{"model":"default","messages":[{"role":"assistant","thinking":"hm","content":"4","new": {"a":  1}}],'
    b'"options":{"num_ctx":  64},"truncate":true,"novel":[1,  2]}'
)


def test_only_the_model_changes() -> None:
    """Every value but the model's name keeps its bytes and its place."""
    asked = WIRE.read_request(BODY, LIMITS)
    assert BODY.replace(b'"default"', b'"qwen3:8b"') == WIRE.encode_request(asked, candidate(), foreign=None)


def test_signatures_of_others_mean_nothing_here() -> None:
    """Thinking has no signature in this wire: none are found, and foreign ones leave nothing out."""
    asked = WIRE.read_request(BODY, LIMITS)
    assert () == WIRE.read_signatures(asked)
    assert b'"thinking":"hm"' in WIRE.encode_request(asked, candidate(), foreign=frozenset({"sig"}))


def test_the_one_repair_leaves_out_all_thinking() -> None:
    """Where all reasoning is left out, the messages lose their thinking and nothing else."""
    sent = WIRE.encode_request(WIRE.read_request(BODY, LIMITS), candidate(), foreign=frozenset({"*"}))
    assert b'"messages":[{"role":"assistant","content":"4","new":{"a":  1}}]' in sent
    plain = ask()
    assert json.dumps(json.loads(WIRE.encode_request(plain, candidate(), foreign=frozenset({"*"})))) == json.dumps(
        {"model": "qwen3:8b", "messages": [{"role": "user", "content": "hi"}]}
    )


def test_params_fill_what_is_not_said() -> None:
    """Configured params are added where the client said nothing, options one by one, and never the request itself."""
    params = {"keep_alive": 9, "novel": 1, "options": {"num_ctx": 8192, "seed": 3}, "messages": [], "stream": False}
    asked = WIRE.read_request(BODY, LIMITS)
    sent = json.loads(WIRE.encode_request(asked, candidate(params=params), foreign=None))
    assert ({"num_ctx": 64, "seed": 3}, 9, [1, 2]) == (sent["options"], sent["keep_alive"], sent["novel"])
    assert "stream" not in sent
    assert 1 == len(sent["messages"])


def test_params_are_all_the_options_without_any() -> None:
    """Configured options stand for a client's missing or empty ones."""
    for asked in (ask(), ask(options=None), ask(options={})):
        sent = json.loads(WIRE.encode_request(asked, candidate(params={"options": {"seed": 3}}), foreign=None))
        assert {"seed": 3} == sent["options"]


def test_the_address() -> None:
    """Chat is asked for below a base URL without a path."""
    assert "/api/chat" == WIRE.target(ask(), candidate())
