"""What changes between two policies, in words: what is tightened, what is loosened, what nobody can tell by reading.

Loosened means: something that was stopped, changed or counted can pass now. What cannot be ordered (another condition,
another threshold) is `unclear`, and counts as loosened where loosening is forbidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, TypeVar

import msgspec

from verilabel.gateway.policy.document import (
    AdmissionRow,
    ApprovalTerms,
    GuardEntry,
    LimitRow,
    Policy,
    RequestRule,
)
from verilabel.gateway.verdicts import FIELDS, PASSAGE_FIELDS, Action

Kind = Literal["loosened", "tightened", "unclear", "changed"]
_VERIFICATION = ("V1", "V2s", "V2", "V3", "V4")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "day": 86_400, "month": 30 * 86_400}
_AMOUNTS = ("requests", "tokens", "cost_usd", "budget_tokens")
_Row = TypeVar("_Row")


class Change(msgspec.Struct, frozen=True):
    """One change. `where` is the place, by ids: `guards.secrets-out.action`."""

    kind: Kind
    where: str
    says: str


def compare_policies(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Every change from one policy to another, section by section."""
    return (
        *_compare_plain(old, new, "", ("policy", "version", "description")),
        *_compare_sections(_by_id(old.guards), _by_id(new.guards), "guards", _guard_acts, _compare_guard),
        *_compare_order(old.guards, new.guards),
        *_compare_sections(_by_id(old.rules), _by_id(new.rules), "rules", _rule_acts, _compare_rule),
        *_compare_sections(_by_route(old.admit), _by_route(new.admit), "admit", _row_acts, _compare_row),
        *_compare_sections(_by_id(old.limits), _by_id(new.limits), "limits", _limit_acts, _compare_limit),
        *_compare_approvals(old.approvals, new.approvals),
        *_ordered(
            "images", ("allow", "block").index(old.images), ("allow", "block").index(new.images), new.images
        ),
        *([Change("changed", "tests", "the tests differ")] if old.tests != new.tests else []),
    )


def is_loosened(changes: Sequence[Change]) -> bool:
    """True if something is looser, or if nobody can tell."""
    return any(change.kind in ("loosened", "unclear") for change in changes)


def _by_id(rows: Sequence[_Row]) -> dict[str, _Row]:
    return {row.id: row for row in rows}  # type: ignore[attr-defined]


def _by_route(rows: Sequence[AdmissionRow]) -> dict[str, AdmissionRow]:
    keyed: dict[str, AdmissionRow] = {}
    for row in rows:
        name, number = row.route, 2
        while name in keyed:
            name, number = f"{row.route} ({number})", number + 1
        keyed[name] = row
    return keyed


def _compare_sections(
    old: Mapping[str, Any], new: Mapping[str, Any], section: str, acts: Any, compare: Any
) -> Iterator[Change]:
    for name, row in old.items():
        where = f"{section}.{name}"
        if name not in new:
            yield Change("loosened" if acts(row) else "changed", where, "removed")
        elif row != new[name]:
            yield from compare(row, new[name], where)
    for name, row in new.items():
        if name not in old:
            yield Change("tightened" if acts(row) else "changed", f"{section}.{name}", "added")


def _compare_order(old: Sequence[GuardEntry], new: Sequence[GuardEntry]) -> Iterator[Change]:
    """The order decides between guards that find the same text."""
    before, after = [each.id for each in old], [each.id for each in new]
    if [name for name in before if name in after] != [name for name in after if name in before]:
        yield Change("unclear", "guards", "another order")


def _ordered(where: str, old: Any, new: Any, shown: object) -> Iterator[Change]:
    """A change of something of which more is stricter."""
    if old != new:
        yield Change("tightened" if new > old else "loosened", where, f"now {shown}")


def _covered(
    where: str, old: Sequence[str], new: Sequence[str], *, more_is: Kind = "tightened"
) -> Iterator[Change]:
    """A change of a list of what is covered, where more is stricter (or, for `loosened`, laxer)."""
    less_is: Kind = "loosened" if more_is == "tightened" else "tightened"
    if gone := [word for word in old if word not in new]:
        yield Change(less_is, where, f"no longer {', '.join(gone)}")
    if added := [word for word in new if word not in old]:
        yield Change(more_is, where, f"also {', '.join(added)}")


def _compare_plain(
    old: Any, new: Any, prefix: str, names: Sequence[str], *, kind: Kind = "changed"
) -> Iterator[Change]:
    for name in names:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Change(kind, f"{prefix}{name}", f"{before!r} becomes {after!r}"[:200])


def _compare_when(old: str | None, new: str | None, where: str) -> Iterator[Change]:
    if old == new:
        return
    if old is None:
        yield Change("loosened", where, f"only where {new}")
    elif new is None:
        yield Change("tightened", where, "always")
    else:
        yield Change("unclear", where, f"{old!r} becomes {new!r}")


def _compare_failing(
    old: GuardEntry | RequestRule, new: GuardEntry | RequestRule, where: str
) -> Iterator[Change]:
    for name, lax in (("mode", "shadow"), ("on_error", "allow")):
        before, after = getattr(old, name), getattr(new, name)
        yield from _ordered(f"{where}.{name}", before != lax, after != lax, after)


def _action(word: str) -> Action:
    return Action[word.upper()]


def _guard_acts(guard: GuardEntry) -> bool:
    strongest = max(_action(word) for word in (guard.action, *guard.rules.values()))
    return guard.mode == "enforce" and strongest > Action.FLAG


def _compare_guard(old: GuardEntry, new: GuardEntry, where: str) -> Iterator[Change]:
    if old.use != new.use:
        yield Change("unclear", f"{where}.use", f"{old.use} becomes {new.use}")
    yield from _ordered(f"{where}.action", _action(old.action), _action(new.action), new.action)
    for rule in dict.fromkeys((*old.rules, *new.rules)):
        before, after = old.rules.get(rule, old.action), new.rules.get(rule, new.action)
        yield from _ordered(f"{where}.rules.{rule}", _action(before), _action(after), after)
    yield from _compare_failing(old, new, where)
    yield from _covered(f"{where}.directions", old.on, new.on)
    yield from _compare_fields(old.fields, new.fields, f"{where}.fields")
    yield from _compare_when(old.when, new.when, f"{where}.when")
    yield from _ordered(f"{where}.share", old.share, new.share, new.share)
    yield from _ordered(f"{where}.release", old.release == "gated", new.release == "gated", new.release)
    yield from _compare_settings(old.settings, new.settings, f"{where}.settings")
    yield from _compare_timeouts(old, new, f"{where}.timeout_ms")
    yield from _compare_plain(old, new, f"{where}.", ("replace_with", "window_chars"), kind="unclear")
    yield from _compare_plain(old, new, f"{where}.", ("message",))


def _compare_timeouts(old: GuardEntry, new: GuardEntry, where: str) -> Iterator[Change]:
    """Less time is more texts that cannot be looked at, which the policy lets pass or not."""
    if old.timeout_ms == new.timeout_ms:
        return
    is_less = new.timeout_ms < old.timeout_ms
    kind: Kind = "loosened" if is_less and new.on_error == "allow" else "changed"
    yield Change(kind, where, f"{old.timeout_ms} becomes {new.timeout_ms}")


def _compare_fields(old: Sequence[str], new: Sequence[str], where: str) -> Iterator[Change]:
    """No fields at all are those that every kind looks at, and more for some kinds."""
    if old and not new:
        kind: Kind = "tightened" if set(old) <= set(PASSAGE_FIELDS) else "unclear"
        yield Change(kind, where, "where guards of this kind look")
    elif new and not old:
        kind = "tightened" if set(new) == set(FIELDS) else "loosened"
        yield Change(kind, where, f"in {', '.join(new)} alone")
    else:
        yield from _covered(where, old, new)


def _compare_settings(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if name == "without" and _are_words(before or [], after or []):
            yield from _covered(f"{where}.{name}", before or [], after or [], more_is="loosened")
        elif name == "only" and before and after and _are_words(before, after):
            yield from _covered(f"{where}.{name}", before, after)
        elif name == "only" and _are_words(before or [], after or []):
            yield Change("loosened" if after else "tightened", f"{where}.{name}", "some" if after else "all")
        else:
            yield Change("unclear", f"{where}.{name}", f"{before!r} becomes {after!r}"[:200])


def _are_words(*lists: Any) -> bool:
    return all(isinstance(words, list) and all(isinstance(word, str) for word in words) for words in lists)


def _rule_acts(rule: RequestRule) -> bool:
    return rule.mode == "enforce" and rule.action != "flag"


def _compare_rule(old: RequestRule, new: RequestRule, where: str) -> Iterator[Change]:
    yield from _ordered(f"{where}.action", _action(old.action), _action(new.action), new.action)
    yield from _compare_failing(old, new, where)
    if old.when != new.when:
        yield Change("unclear", f"{where}.when", f"{old.when!r} becomes {new.when!r}")
    yield from _compare_plain(old, new, f"{where}.", ("message",))


def _row_acts(row: AdmissionRow) -> bool:
    return row.otherwise == "block"


def _compare_row(old: AdmissionRow, new: AdmissionRow, where: str) -> Iterator[Change]:
    for name in ("rubric", "granted", "ruled_out"):
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if before is None or after is None:
            yield Change(
                "tightened" if before is None else "loosened", f"{where}.{name}", f"now {after or 'any'}"
            )
        else:
            yield Change("unclear", f"{where}.{name}", f"{before} becomes {after}")
    before, after = _VERIFICATION.index(old.verification), _VERIFICATION.index(new.verification)
    yield from _ordered(f"{where}.verification", before, after, new.verification)
    ages = [-row.max_age_days if row.max_age_days is not None else -(10**9) for row in (old, new)]
    yield from _ordered(f"{where}.max_age_days", ages[0], ages[1], new.max_age_days or "any age")
    yield from _covered(f"{where}.scope", old.scope, new.scope)
    yield from _covered(f"{where}.flags_forbidden", old.flags_forbidden, new.flags_forbidden)
    waived = [[f"{each.requirement} until {each.until}" for each in row.waivers] for row in (old, new)]
    yield from _covered(f"{where}.waivers", waived[0], waived[1], more_is="loosened")
    yield from _ordered(
        f"{where}.otherwise", old.otherwise == "block", new.otherwise == "block", new.otherwise
    )


def _limit_acts(_: LimitRow) -> bool:
    return True


def _compare_limit(old: LimitRow, new: LimitRow, where: str) -> Iterator[Change]:
    if old.per != new.per or old.route != new.route or _quantity(old) != _quantity(new):
        yield Change("unclear", where, "another quantity, route, or other counters")
        return
    name = _quantity(new)
    given = getattr(new, name)
    if getattr(old, name) != given:
        rates = (_rate(getattr(old, name)), _rate(given))
        if rates[0] == rates[1]:
            yield Change(
                "unclear", f"{where}.{name}", f"{getattr(old, name)} becomes {given}: another window"
            )
        yield from _ordered(f"{where}.{name}", -rates[0], -rates[1], given)
    if old.burst != new.burst:
        bursts = [_burst(row, name) for row in (old, new)]
        yield from _ordered(f"{where}.burst", -bursts[0], -bursts[1], new.burst or "the whole window")


def _quantity(row: LimitRow) -> str:
    return next((name for name in _AMOUNTS if getattr(row, name) is not None), "concurrency")


def _rate(amount: str | int) -> Decimal:
    number, _, period = str(amount).partition("/")
    return Decimal(number) / _SECONDS.get(period, 1)


def _burst(row: LimitRow, name: str) -> Decimal:
    return Decimal(row.burst) if row.burst is not None else Decimal(str(getattr(row, name)).partition("/")[0])


def _compare_approvals(old: ApprovalTerms, new: ApprovalTerms) -> Iterator[Change]:
    yield from _ordered("approvals.quorum", old.quorum, new.quorum, new.quorum)
    yield from _covered("approvals.roles", old.roles, new.roles, more_is="loosened")
    yield from _ordered("approvals.expires_s", -old.expires_s, -new.expires_s, new.expires_s)
    yield from _compare_plain(old, new, "approvals.", ("wait", "hold_s"))
    yield from _compare_plain(old, new, "approvals.", ("webhook",), kind="unclear")
