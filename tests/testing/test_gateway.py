"""The gateway's double: its configuration is TOML, and a process that fails says why."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from everup.testing.gateway import Gateway, chat_body, config_text, toml_value
from everup.testing.provider import closed_port


def test_a_configuration_is_toml() -> None:
    """Providers, routes, models and limits come out as the tables they were given as."""
    text = config_text(
        port=1,
        providers={"a": "http://127.0.0.1:1/v1", "b": {"base_url": "http://x/v1", "local": True, "concurrency": 2}},
        routes={"r": ["a/m", "b/m"], "s": {"try": ["a/m"], "answer": 0.5}},
        models={"a/m:7b": {"params": {"top_k": 3, "stop": ["\n"]}}},
        limits={"stall_s": 1.5},
        more='[aliases]\n"x-*" = "r"\n',
    )
    told = tomllib.loads(text)
    assert {"port": 1} == told["server"]
    assert ["key-of-a"] == [profile["key"] for profile in told["providers"]["a"]["profiles"]]
    assert (True, 2) == (told["providers"]["b"]["local"], told["providers"]["b"]["concurrency"])
    assert {"r": {"try": ["a/m", "b/m"]}, "s": {"try": ["a/m"], "answer": 0.5}} == told["routes"]
    assert {"top_k": 3, "stop": ["\n"]} == told["models"]["a/m:7b"]["params"]
    assert {"x-*": "r"} == told["aliases"]


@pytest.mark.parametrize(
    "value", ["plain", 'qu"ote\\', "Grüße\n\t\u0001", True, 3, 2.5, ["a", ["b"]], {"k.k": {"a": []}}]
)
def test_values_come_back(value: object) -> None:
    """A value written as TOML is read as itself."""
    assert {"v": value} == tomllib.loads(f"v = {toml_value(value)}")


def test_the_same_question_is_the_same_bytes() -> None:
    """Two bodies of the same request are equal, so that digests can be compared."""
    assert chat_body("m", stream=True) == chat_body("m", stream=True) != chat_body("m", stream=False)


@pytest.mark.anyio
async def test_a_process_that_ends_says_why(tmp_path: Path) -> None:
    """A configuration that cannot be read ends the process, and its own words are in the error."""
    with pytest.raises(RuntimeError, match="everup"):
        async with Gateway(tmp_path, "[server\n", closed_port()):
            pass
