"""What two rubrics ask differently: by meaning, row by row, not by the lines of their files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Literal

import msgspec

from verilabel.rubric.structure import (
    AtLeast,
    AttestedBy,
    Criterion,
    Level,
    Measure,
    Rubric,
    Rule,
    TimesReference,
    criteria_of,
    every_rule_of,
    plain,
)

Effect = Literal["stricter", "laxer", "other"]
_SMALLER_IS_STRICTER = ("alpha", "max_missing")
_LARGER_IS_STRICTER = ("margin", "min_n", "min_calibration_n")


class Change(msgspec.Struct, frozen=True):
    """One difference. `effect` is stricter or laxer where that can be told of it alone."""

    where: str
    """A path inside the rubric, such as `$.scale.L2.when`."""
    what: str
    effect: Effect = "other"


def compare_rubrics(old: Rubric, new: Rubric) -> tuple[Change, ...]:
    """Every difference that can change a label or its reading, in the order of the file."""
    return (
        *_compare_fields(old, new, "$", ("id", "version", "title", "license")),
        *_compare_statistics(old, new),
        *_compare_validity(old, new),
        *_compare_fields(old.scope, new.scope, "$.scope", ("subject", "bind", "use_cases")),
        *_compare_measures(old, new),
        *_compare_attestations(old, new),
        *_compare_scales(old, new),
    )


def _compare_fields(
    old: msgspec.Struct, new: msgspec.Struct, path: str, names: Iterable[str]
) -> Iterator[Change]:
    for name in names:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Change(
                f"{path}.{name}", f"{_say(before)} becomes {_say(after)}", _effect(name, before, after)
            )


def _effect(name: str, before: object, after: object) -> Effect:
    if not isinstance(before, Decimal | int) or not isinstance(after, Decimal | int):
        return "other"
    if name in _SMALLER_IS_STRICTER:
        return "stricter" if after < before else "laxer"
    if name in _LARGER_IS_STRICTER:
        return "stricter" if after > before else "laxer"
    return "other"


def _say(value: object) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_say(item)}" for key, item in value.items()) or "nothing"
    if isinstance(value, tuple):
        return " ".join(str(item) for item in value) or "nothing"
    return "nothing" if value is None else str(value)


def _compare_statistics(old: Rubric, new: Rubric) -> Iterator[Change]:
    path = "$.statistics"
    names = ("alpha", "interval", "missing", "max_missing", "margin", "design", "preregistration")
    yield from _compare_fields(old.statistics, new.statistics, path, names)
    yield from _compare_fields(
        old.statistics.judge, new.statistics.judge, f"{path}.judge", ("adjust", "min_calibration_n")
    )


def _compare_validity(old: Rubric, new: Rubric) -> Iterator[Change]:
    if old.validity.days != new.validity.days:
        effect: Effect = "stricter" if new.validity.days < old.validity.days else "laxer"
        yield Change("$.validity.max_age", f"{old.validity.days} becomes {new.validity.days} days", effect)
    yield from _compare_fields(old.validity, new.validity, "$.validity", ("sunset", "void_on"))


def _compare_measures(old: Rubric, new: Rubric) -> Iterator[Change]:
    names = [field.name for field in msgspec.structs.fields(Measure)]
    for name in dict.fromkeys((*old.measures, *new.measures)):
        path = f"$.measures.{name}"
        before, after = old.measures.get(name), new.measures.get(name)
        if before is None or after is None:
            measure = after or before
            assert measure is not None, "the name is of one of the two"
            what = f"{measure.event} on {measure.suite}"
            yield Change(path, f"added: {what}" if before is None else f"removed: {what}")
        else:
            yield from _compare_fields(before, after, path, names)


def _compare_attestations(old: Rubric, new: Rubric) -> Iterator[Change]:
    for name in dict.fromkeys((*old.attestations, *new.attestations)):
        before, after = old.attestations.get(name), new.attestations.get(name)
        path = f"$.attestations.{name}"
        if before is None or after is None:
            yield Change(path, "added" if before is None else "removed")
        else:
            yield from _compare_fields(before, after, path, ("statement", "role", "evidence", "max_age"))


# ---------------------------------------------------------------- levels and rows


def _compare_scales(old: Rubric, new: Rubric) -> Iterator[Change]:
    path = "$.scale"
    if old.scale.kind != new.scale.kind:
        yield Change(f"{path}.kind", f"{old.scale.kind} becomes {new.scale.kind}")
    before = {level.id: level for level in old.scale.levels}
    after = {level.id: level for level in new.scale.levels}
    kept = [name for name in before if name in after]
    if kept != [name for name in after if name in before]:
        yield Change(f"{path}.levels", f"another order: {' '.join(before)} becomes {' '.join(after)}")
    for name in dict.fromkeys((*before, *after)):
        here = f"{path}.{name}"
        if name not in before or name not in after:
            level = after.get(name) or before[name]
            yield Change(here, f"level {level.name} {'added' if name not in before else 'removed'}")
        else:
            yield from _compare_levels(before[name], after[name], here)


def _compare_levels(old: Level, new: Level, path: str) -> Iterator[Change]:
    yield from _compare_fields(old, new, path, ("name", "meaning", "requires"))
    before, after = every_rule_of(old), every_rule_of(new)
    for key in dict.fromkeys((*before, *after)):
        if key not in before or key not in after:
            yield Change(f"{path}.{key}", "added" if key not in before else "removed")
        else:
            yield from _compare_rules(before[key], after[key], f"{path}.{key}")


def _compare_rules(old: Rule, new: Rule, path: str) -> Iterator[Change]:
    before, after = _by_subject(old), _by_subject(new)
    for subject in dict.fromkeys((*before, *after)):
        yield from _compare_rows(before.get(subject, []), after.get(subject, []), path, old, new)
    if _shape(old) != _shape(new) and _leaf_counts(old) == _leaf_counts(new):
        yield Change(path, f"{_shape(old)} becomes {_shape(new)}")


def _by_subject(rule: Rule) -> dict[str, list[Criterion | AttestedBy]]:
    """Leaves by what they look at: a measure and a side, or an attestation."""
    subjects: dict[str, list[Criterion | AttestedBy]] = {}
    for leaf in criteria_of(rule):
        subject = f"attested {leaf.attested}" if isinstance(leaf, AttestedBy) else _side(leaf)
        subjects.setdefault(subject, []).append(leaf)
    return subjects


def _side(leaf: Criterion) -> str:
    return f"{leaf.measure} {'at most' if leaf.op in ('<', '<=') else 'at least'}"


def _compare_rows(
    old: list[Criterion | AttestedBy],
    new: list[Criterion | AttestedBy],
    path: str,
    old_rule: Rule,
    new_rule: Rule,
) -> Iterator[Change]:
    """Rows on one subject: in order, so that a file with one row for it gives one change."""
    for before, after in zip(old, new, strict=False):
        if not isinstance(before, Criterion) or not isinstance(after, Criterion):
            continue
        if (before.op, before.threshold) != (after.op, after.threshold):
            what = f"{_row(before)} becomes {after.op} {after.threshold}"
            yield Change(path, what, _threshold_effect(before, after))
    for gone in old[len(new) :]:
        yield Change(path, f"no longer asked: {_row(gone)}", "laxer" if _is_all(old_rule) else "other")
    for added in new[len(old) :]:
        yield Change(path, f"also asked: {_row(added)}", "stricter" if _is_all(new_rule) else "other")


def _row(leaf: Criterion | AttestedBy) -> str:
    if isinstance(leaf, AttestedBy):
        return f"attested {leaf.attested}"
    return f"{leaf.measure} {leaf.op} {leaf.threshold}"


def _threshold_effect(before: Criterion, after: Criterion) -> Effect:
    if isinstance(before.value, TimesReference) != isinstance(after.value, TimesReference):
        return "other"
    old, new = _number(before), _number(after)
    if old == new:  # `<` against `<=`
        return "stricter" if len(after.op) < len(before.op) else "laxer"
    return "stricter" if (new < old) == (after.op in ("<", "<=")) else "laxer"


def _number(leaf: Criterion) -> Decimal:
    return leaf.value.times_reference if isinstance(leaf.value, TimesReference) else leaf.value


def _is_all(rule: Rule) -> bool:
    """True where every leaf must hold, so that one more can only make the rule harder."""
    if not isinstance(rule, AtLeast):
        return True
    return rule.need == len(rule.children) and all(_is_all(child) for child in rule.children)


def _leaf_counts(rule: Rule) -> Counter[str]:
    return Counter(subject for subject, leaves in _by_subject(rule).items() for _ in leaves)


def _shape(rule: Rule) -> str:
    """How a rule puts its rows together, in words."""
    if not isinstance(rule, AtLeast):
        return _side(rule) if isinstance(rule, Criterion) else f"attested {rule.attested}"
    word = f"at least {rule.need} of" if rule.word == "at_least" else f"{rule.word} of"
    return f"{word} ({', '.join(_shape(child) for child in rule.children)})"
