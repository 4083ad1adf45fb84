"""`everup local`, as far as it fetches nothing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Everup
from tests.cli.fake_gateway import as_json, fake

GGUF = b"GGUF" + (3).to_bytes(4, "little") + bytes(24)
"""A model without weights: the head alone, padded."""


def test_a_file_that_is_there_is_not_fetched(everup: Everup, home: Path) -> None:
    """When the home has a model file, `get` names it at once."""
    folder = home / "models"
    folder.mkdir(parents=True)
    (folder / "Tiny-1B-Q4_0.gguf").write_bytes(GGUF)
    done = everup("local", "get")
    assert 0 == done.code
    assert done.out.startswith(f"tiny-1b: {folder / 'Tiny-1B-Q4_0.gguf'} (")


def test_the_state_on_disk(everup: Everup, home: Path) -> None:
    """Without a gateway the file on disk is shown and the code is 3."""
    folder = home / "models"
    folder.mkdir(parents=True)
    (folder / "Tiny-1B-Q4_0.gguf").write_bytes(GGUF)
    done = everup("local", "status")
    assert 3 == done.code
    assert done.out.startswith("embedded model tiny-1b: ")
    assert (False, "tiny-1b") == tuple(
        json.loads(everup("local", "status", "--json").out)[key] for key in ("running", "model")
    )


def test_the_gateways_state(everup: Everup) -> None:
    """With a gateway its own words about the embedded model are shown."""
    view = {"embedded": {"state": "off", "model": "smollm2", "cause": "", "fix": ""}}
    with fake({"/status": as_json(view)}) as it:
        done = everup("local", "status", "--url", it.url)
    assert (0, "embedded model smollm2: off, it starts when first needed\n", "") == done
