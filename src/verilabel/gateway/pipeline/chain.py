"""The guards of one policy in one direction, compiled: all span rules in one search, the passage guards beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from verilabel.detectors.spans.interface import SpanSet, Substitute
from verilabel.detectors.spans.pseudonyms import PLACEHOLDER, Vault
from verilabel.detectors.spans.rule import Match, Rule
from verilabel.detectors.spans.ruleset import RuleSet
from verilabel.gateway.guards.interface import Guard, PassageGuard, SpanGuard
from verilabel.gateway.policy.conditions import Condition
from verilabel.gateway.policy.document import GuardEntry
from verilabel.gateway.verdicts import FIELDS, Action, Direction, Field


class OpenGuard(NamedTuple):
    """A guard entry of the policy with what it opened; `condition` is its `when`, compiled.

    The entry's `fields` are never empty here: where the policy is silent they are those of its kind.
    """

    entry: GuardEntry
    guard: Guard
    condition: Condition | None


class SpanAction(NamedTuple):
    """What a match of one rule of a plan leads to. `replacement` None: the match is left standing."""

    guard: GuardEntry
    rule: str
    action: Action
    replacement: str | None
    is_reversible: bool


class PassageEntry(NamedTuple):
    """A passage guard with its entry, its actions by rule, and the fields it looks at."""

    entry: GuardEntry
    guard: PassageGuard
    action: Action
    rules: dict[str, Action]
    fields: frozenset[Field]
    condition: int
    """Bit of its condition and share in the request's mask; 0 where it always looks."""

    def action_for(self, rule: str) -> Action:
        """What a finding of one of its rules leads to."""
        return self.rules.get(rule, self.action)


class SpanPlan:
    """Span rules of several guards compiled into one search.

    `actions[i]` belongs to rule i; `masks[field]` says which rules look at a field (None: all, 0: none); `stops` are
    the rules after which nothing more may go out.
    """

    def __init__(self, guards: Sequence[OpenGuard], direction: Direction) -> None:
        rules: list[Rule] = []
        self.actions: list[SpanAction] = []
        self._bits: list[tuple[GuardEntry, int]] = []
        self._reversible = 0
        reversible = [each for each in guards if direction == "input" and _puts_pseudonyms(each)]
        if reversible:  # a client's text that looks like a pseudonym gets one of its own, before all else
            entry = reversible[0].entry
            rules.append(PLACEHOLDER)
            self.actions.append(
                SpanAction(entry, PLACEHOLDER.id, Action.REDACT, f"[{PLACEHOLDER.label}]", is_reversible=True)
            )
            self._bits.append((entry, 1))
        taken = {rule.id for rule in rules}
        for opened in guards:
            assert isinstance(opened.guard, SpanGuard)
            bits = 0
            for rule in opened.guard.rules:
                bits |= 1 << len(rules)
                action = _span_action(opened.entry, rule, is_reversible=opened in reversible)
                if action.is_reversible:
                    self._reversible |= 1 << len(rules)
                rules.append(_named_apart(rule, opened.entry, taken))
                self.actions.append(action)
            self._bits.append((opened.entry, bits))
        self.spans: SpanSet = RuleSet(rules)
        self._all = (1 << len(rules)) - 1
        self.stops = frozenset(i for i, each in enumerate(self.actions) if each.action == Action.BLOCK)
        self.may_hold = any(each.action == Action.HOLD for each in self.actions)
        self.masks: dict[Field, int | None] = {field: self._mask_of(field, ()) for field in FIELDS}
        self.is_reversible = any(each.is_reversible for each in self.actions)

    def masks_without(self, silent: Iterable[str]) -> dict[Field, int | None]:
        """The masks where the guards of these ids do not look."""
        left_out = tuple(silent)
        return {field: self._mask_of(field, left_out) for field in FIELDS}

    def _mask_of(self, field: Field, left_out: tuple[str, ...]) -> int | None:
        mask = 0
        for entry, bits in self._bits:
            if entry.id not in left_out and field in entry.fields:
                mask |= bits
        return None if mask == self._all else mask

    def substitute(self, match: Match) -> str | None:
        """What stands in place of a match."""
        return self.actions[match.rule].replacement

    def substitute_with(self, vault: Vault) -> Substitute:
        """The same, with what reversible guards find replaced by pseudonyms of a conversation's vault."""
        return vault.substitute(self.spans.rules, reversible=self._reversible, otherwise=self.substitute)


class Chain:
    """Everything that looks in one direction. `versions` are all guards that look, by id, with their versions."""

    def __init__(self, direction: Direction, guards: Sequence[OpenGuard]) -> None:
        self.direction: Direction = direction
        here = [each for each in guards if direction in each.entry.on]
        self.conditional: tuple[OpenGuard, ...] = tuple(
            each for each in here if each.condition is not None or each.entry.share < 1
        )
        bit_of = {each.entry.id: 1 << i for i, each in enumerate(self.conditional)}
        self.enforced = _plan(here, "enforce", direction)
        self.shadow = _plan(here, "shadow", direction)
        self.passages: tuple[PassageEntry, ...] = tuple(
            _passage(each, bit_of.get(each.entry.id, 0))
            for each in here
            if not isinstance(each.guard, SpanGuard)
        )
        self.versions = {each.entry.id: each.guard.version for each in here}
        self.looks = bool(here)
        enforced = [each for each in self.passages if each.entry.mode == "enforce"]
        actions = {action for each in enforced for action in (each.action, *each.rules.values())}
        self.may_hold = Action.HOLD in actions or bool(self.enforced and self.enforced.may_hold)
        self.may_change = bool(actions & {Action.REDACT, Action.REPLACE})
        self.needs_whole = (
            self.may_hold or self.may_change or any(each.guard.reads_whole for each in enforced)
        )
        self.has_slow_shadow = any(each.entry.mode == "shadow" for each in self.passages)
        self.window_chars = min((each.entry.window_chars for each in self.passages), default=0)
        self.is_gated = any(each.entry.release == "gated" for each in enforced)

    def silent_guards(self, mask: int) -> frozenset[str]:
        """Ids of the conditional guards whose bit is not set."""
        return frozenset(each.entry.id for i, each in enumerate(self.conditional) if not mask & (1 << i))


def _plan(guards: Sequence[OpenGuard], mode: str, direction: Direction) -> SpanPlan | None:
    chosen = [each for each in guards if isinstance(each.guard, SpanGuard) and each.entry.mode == mode]
    return SpanPlan(chosen, direction) if chosen else None


def _named_apart(rule: Rule, entry: GuardEntry, taken: set[str]) -> Rule:
    """The rule under an id that no rule before it has: two guards may be of one kind, as two lists of words are."""
    if rule.id in taken:
        rule = msgspec.structs.replace(rule, id=f"{rule.id}/{entry.id}")
    taken.add(rule.id)
    return rule


def _puts_pseudonyms(opened: OpenGuard) -> bool:
    """True if something that the guard finds is replaced by a pseudonym on its way in."""
    guard = opened.guard
    return (
        isinstance(guard, SpanGuard)
        and guard.is_reversible
        and any(_span_action(opened.entry, rule, is_reversible=True).is_reversible for rule in guard.rules)
    )


def _span_action(entry: GuardEntry, rule: Rule, *, is_reversible: bool) -> SpanAction:
    action = Action[entry.rules.get(rule.id, entry.action).upper()]
    replacement: str | None = None
    if action == Action.REDACT:
        replacement = f"[{rule.label}]"
    elif action == Action.REPLACE:
        replacement = entry.replace_with if entry.replace_with is not None else f"[{rule.label}]"
    return SpanAction(entry, rule.id, action, replacement, is_reversible and action == Action.REDACT)


def _passage(opened: OpenGuard, bit: int) -> PassageEntry:
    assert not isinstance(opened.guard, SpanGuard)
    entry = opened.entry
    return PassageEntry(
        entry,
        opened.guard,
        Action[entry.action.upper()],
        {rule: Action[word.upper()] for rule, word in entry.rules.items()},
        frozenset(entry.fields),
        bit,
    )
