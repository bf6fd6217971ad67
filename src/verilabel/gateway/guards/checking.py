"""Checking a policy's guard entries before anything is opened: what reading a policy asks of the kinds."""

from __future__ import annotations

from pathlib import Path

from verilabel.gateway.guards.catalogue import Resources, check_settings, open_guard
from verilabel.gateway.guards.interface import SpanGuard
from verilabel.gateway.policy.document import GuardEntry

_KINDS_OF_RULES = frozenset({"pii", "secrets", "injection", "patterns"})


def check_guard(entry: GuardEntry, where: str) -> list[str] | None:
    """Check a guard's kind and settings; the ids of its rules, where they are known beforehand.

    Raises MalformedInput with the place of what is wrong.
    """
    check_settings(entry, where)
    if not entry.rules or entry.use not in _KINDS_OF_RULES:
        return None
    guard = open_guard(entry, Resources(folder=Path()), where)
    return [rule.id for rule in guard.rules] if isinstance(guard, SpanGuard) else None
