"""What known providers say about windows and accounts is understood."""

from __future__ import annotations

import pytest

from everup.policy.classify import Refusal, classify_refusal
from everup.providers.known import KNOWN, ROWS
from everup.shapes.fault import FaultKind
from everup.wires.errors_in import read_error
from tests.providers.said import SAID, Said, body_of

EMBEDDED = "embedded"  # a llama.cpp server of ours


@pytest.mark.parametrize("said", SAID, ids=lambda said: f"{said[0]}-{said[1].value}-{said[2]}")
def test_what_a_provider_says_is_understood(said: Said) -> None:
    """A refusal for a too long prompt or an empty account is judged as that, whoever's words it is in."""
    provider, kind, status, told = said
    body = body_of(told)
    refusal = Refusal(
        status=status,
        headers={},
        body=body,
        seen=read_error(body),
        provider=provider,
        model="m",
        is_local=KNOWN[provider].is_local,
    )
    fault = classify_refusal(refusal)
    assert kind is fault.kind, (fault.rule, fault.message)


def test_every_known_provider_has_its_words_here() -> None:
    """No provider is known whose words for a full window, and if it costs money an empty account, are not checked."""
    said = {(provider, kind) for provider, kind, _, _ in SAID}
    rows = [row for row in ROWS if row.name != EMBEDDED]
    assert [] == [row.name for row in rows if (row.name, FaultKind.CONTEXT_OVERFLOW) not in said]
    assert [] == [row.name for row in rows if not row.is_local and (row.name, FaultKind.BILLING) not in said]
