"""Every kind of fault has its row in the table of verdicts."""

from __future__ import annotations

from everup.policy.faults import RULES
from everup.shapes.fault import FaultKind, Next


def test_every_kind_has_a_rule() -> None:
    """The table of verdicts has exactly one row for each kind of fault."""
    assert set(FaultKind) == set(RULES)


def test_every_rule_leads_somewhere() -> None:
    """Every row says where the walk goes next and which status a client sees if nothing else answered."""
    dead = [kind for kind, rule in RULES.items() if not rule.path or not 400 <= rule.client_status <= 599]
    assert [] == dead


def test_same_is_only_ever_first() -> None:
    """No row comes back to the same candidate after it has gone wider."""
    assert [] == [kind for kind, rule in RULES.items() if Next.SAME in rule.path[1:]]


def test_every_row_names_its_source() -> None:
    """Every row cites the row or ruling of the contract it comes from."""
    assert [] == [kind for kind, rule in RULES.items() if not rule.row]
