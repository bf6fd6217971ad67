"""The kinds that are rules: packs of the product (`pii`, `secrets`, `injection`), and an operator's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from verilabel.detectors.spans.rule import Rule
from verilabel.errors import MalformedInput
from verilabel.gateway.guards.interface import SpanGuard
from verilabel.gateway.guards.settings import version_of


class PackSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`only` these rules of the pack, or all `without` these. `reversible`: what is redacted on the way in gets a
    pseudonym that is put back on the way out."""

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    reversible: bool = False

    def __post_init__(self) -> None:
        if self.only and self.without:
            raise ValueError("give only or without, not both")


def open_pack_guard(pack: str, settings: PackSettings, where: str) -> SpanGuard:
    """The rules of a pack. Raises MalformedInput for a rule that it does not have."""
    from verilabel.detectors.spans.packs import open_pack, pack_digest

    try:
        rules = open_pack(pack, only=settings.only or None, without=settings.without)
    except MalformedInput as error:
        raise MalformedInput(error.message, where=where, hint=error.hint) from error
    if not rules:
        raise MalformedInput(f"no rule of {pack} is left", where=where)
    return _guard(pack, rules, settings.reversible, pack_digest(pack))


def open_own_guard(kind: str, raw: Mapping[str, Any], where: str) -> SpanGuard:
    """An operator's own patterns and words. Raises MalformedInput with the place."""
    from verilabel.detectors.spans.packs import rules_from_settings

    reversible = raw.get("reversible", False)
    if not isinstance(reversible, bool):
        raise MalformedInput("reversible is true or false", where=f"{where}.reversible")
    own = {name: value for name, value in raw.items() if name != "reversible"}
    return _guard(kind, rules_from_settings(own, where), reversible, "")


def _guard(kind: str, rules: tuple[Rule, ...], reversible: bool, data: str) -> SpanGuard:
    written = [
        [getattr(rule, name) for name in Rule.__struct_fields__ if name != "check"]
        + [getattr(rule.check, "__qualname__", rule.check is not None)]
        for rule in rules
    ]
    version = version_of(kind, "1", written, reversible, data)
    return SpanGuard(rules=rules, version=version, is_reversible=reversible)
