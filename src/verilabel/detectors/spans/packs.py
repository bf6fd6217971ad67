"""Packs of rules that come with the product, and rules from an operator's own settings."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import msgspec

from verilabel.detectors.spans.checks import CHECKS
from verilabel.detectors.spans.programs import require_rule
from verilabel.detectors.spans.rule import Rule
from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.records.canonical import digest
from verilabel.records.strict_yaml import load_strict_yaml

MAX_OWN = 500
"""Patterns that settings may have."""
_NAMES = ("injection", "pii", "secrets")


class PackRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A rule as a pack's file writes it: a `Rule` with its check by name, and the source of its format."""

    id: str
    label: str
    pattern: str
    source: str
    body: str | None = None
    end: str | None = None
    check: str | None = None
    ignore_case: bool = False


class Pack(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A pack's file."""

    pack: str
    version: str
    description: str
    rules: tuple[PackRule, ...]


class OwnPattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of an operator's patterns, as settings write it."""

    id: str
    pattern: str
    label: str | None = None
    body: str | None = None
    end: str | None = None
    ignore_case: bool = False


class OwnRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An operator's settings: patterns, and words that become one rule of the name `id`."""

    patterns: tuple[OwnPattern, ...] = ()
    words: tuple[str, ...] = ()
    id: str = "words"
    label: str | None = None
    ignore_case: bool = True


def pack_names() -> tuple[str, ...]:
    """The packs there are."""
    return _NAMES


def open_pack(name: str, *, only: Sequence[str] | None = (), without: Sequence[str] = ()) -> tuple[Rule, ...]:
    """The rules of a pack, in its order: all, those of `only`, or all but those of `without`.

    Rules are named with or without the pack's prefix (`pii.email`, `email`). Raises UsageError for a pack that does
    not exist, MalformedInput for a rule that it does not have.
    """
    rules = _pack_rules(name)
    chosen, dropped = (
        frozenset(_full_name(name, rules, rule) for rule in list_) for list_ in (only or (), without)
    )
    return tuple(rule for rule in rules if (not chosen or rule.id in chosen) and rule.id not in dropped)


def describe_pack(name: str) -> Pack:
    """A pack as its file writes it, with the source of each format. Raises UsageError for one that does not exist."""
    return _read_pack(name)


def pack_digest(name: str) -> str:
    """What identifies a pack: the digest of its file's bytes."""
    return digest(_pack_bytes(name))


def rules_from_settings(settings: Mapping[str, Any], where: str) -> tuple[Rule, ...]:
    """An operator's own rules: `patterns` (id, pattern, label, body, end, ignore_case) and `words`.

    All words become one rule with the name and label of the settings' `id` (`words`) and `label`; case is ignored
    unless `ignore_case: false`. Labels default to the name in capitals. Every rule is compiled once, to be refused
    here if it cannot be run. Raises MalformedInput or LimitExceeded with the place under `where`.
    """
    try:
        own = msgspec.convert(dict(settings), OwnRules)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        raise MalformedInput(message, where=where + path.strip("`").removeprefix("$")) from error
    if len(own.patterns) > MAX_OWN:
        raise LimitExceeded(
            f"{len(own.patterns)} patterns, the limit is {MAX_OWN}", where=f"{where}.patterns"
        )
    rules = [
        (
            f"{where}.patterns[{place}]",
            Rule(
                id=own_pattern.id,
                pattern=own_pattern.pattern,
                label=own_pattern.label or _label_of(own_pattern.id),
                body=own_pattern.body,
                end=own_pattern.end,
                ignore_case=own_pattern.ignore_case,
            ),
        )
        for place, own_pattern in enumerate(own.patterns)
    ]
    if own.words:
        label = own.label or _label_of(own.id)
        rule = Rule(id=own.id, words=own.words, label=label, ignore_case=own.ignore_case)
        rules.append((f"{where}.words", rule))
    _require_good(rules, where)
    return tuple(rule for _, rule in rules)


def _require_good(rules: Sequence[tuple[str, Rule]], where: str) -> None:
    if not rules:
        raise MalformedInput("no rules", where=where, hint="give `patterns` or `words`")
    seen: set[str] = set()
    for place, rule in rules:
        if rule.id in seen:
            raise MalformedInput(f"the rule {rule.id} is there twice", where=place)
        seen.add(rule.id)
        if any(char in rule.label for char in '"\\[]<>') or not rule.label.isprintable():
            raise MalformedInput("a label has quotes, backslashes or brackets", where=f"{place}.label")
        require_rule(rule, place)


def _label_of(name: str) -> str:
    return name.rpartition(".")[2].replace("-", "_").upper()


def _full_name(pack: str, rules: Sequence[Rule], name: str) -> str:
    full = name if name.startswith(f"{pack}.") else f"{pack}.{name}"
    if all(rule.id != full for rule in rules):
        known = ", ".join(rule.id.removeprefix(f"{pack}.") for rule in rules)
        raise MalformedInput(f"the pack {pack} has no rule {name!r}", hint=f"its rules are {known}")
    return full


@functools.cache
def _pack_rules(name: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            id=rule.id,
            label=rule.label,
            pattern=rule.pattern,
            body=rule.body,
            end=rule.end,
            check=None if rule.check is None else CHECKS[rule.check],
            ignore_case=rule.ignore_case,
        )
        for rule in _read_pack(name).rules
    )


@functools.cache
def _read_pack(name: str) -> Pack:
    return msgspec.convert(load_strict_yaml(_pack_bytes(name), where=f"{name}.yaml"), Pack)


def _pack_bytes(name: str) -> bytes:
    if name not in _NAMES:
        raise UsageError(f"there is no pack {name!r}", hint=f"packs are {', '.join(_NAMES)}")
    return (resources.files("verilabel.detectors.spans") / "data" / f"{name}.yaml").read_bytes()
