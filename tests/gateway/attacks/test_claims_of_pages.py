"""What the pages say of the data path, and the gateway does not do yet."""

from __future__ import annotations

import pytest

from verilabel.gateway.guards.catalogue import KINDS
from verilabel.gateway.policy.document import GuardEntry


@pytest.mark.xfail(strict=True, reason="Kind.action is never read: without `action`, every guard blocks")
@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.action != "block"])
def test_a_guard_without_an_action_does_what_its_kind_does(kind: str) -> None:
    assert KINDS[kind].action == GuardEntry(id="g", use=kind).action


@pytest.mark.xfail(strict=True, reason="Kind.on is never read: without `directions`, a guard looks both ways")
@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if len(kind.on) == 1])
def test_a_guard_without_directions_looks_where_its_kind_does(kind: str) -> None:
    assert KINDS[kind].on == GuardEntry(id="g", use=kind).on
