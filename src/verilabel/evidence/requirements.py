"""What a reader requires of a verified label, and what in a verification falls short of it: pure functions.

The gate decides by it in CI and the gateway before it lets a model be used, so that both mean the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from verilabel.errors import UsageError
from verilabel.evidence.keys import home_folder, load_public
from verilabel.evidence.trust import TrustPolicy, trust_keys
from verilabel.evidence.verification import Verification
from verilabel.records.label import Label

Requirement = Literal["granted", "ruled_out", "verification", "max_age_days", "rubric", "flags_forbidden"]


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """What a label must be. `granted` is for assurance scales, `ruled_out` for hazard scales; None asks nothing."""

    granted: str | None = None
    ruled_out: str | None = None
    verification: str = "V2"
    max_age: timedelta | None = None
    """Of the label's plan."""
    rubric: str | None = None
    """A rubric's id, or `id@version`."""
    flags_forbidden: tuple[str, ...] = ()


class Shortfall(NamedTuple):
    """One requirement that is not met: which, in words, and the flag where it is one that is forbidden."""

    requirement: Requirement
    says: str
    flag: str | None = None


def check_scale(label: Label, requirements: Requirements) -> None:
    """Check that the levels asked for are levels of the label's scale. Raises UsageError."""
    for level, kind, other in (
        (requirements.granted, "assurance", "--ruled-out"),
        (requirements.ruled_out, "hazard", "--min"),
    ):
        if level is None:
            continue
        if level not in label.scale:
            raise UsageError(f"the rubric has no level {level!r}", hint=f"it has {', '.join(label.scale)}")
        if label.kind != kind:
            raise UsageError(f"this label is on a scale of kind {label.kind}", hint=f"use {other}")


def find_shortfalls(
    found: Verification,
    requirements: Requirements,
    *,
    now: datetime,
    flag_words: Mapping[str, str] | None = None,
) -> list[Shortfall]:
    """What a verification that has no failure lacks of the requirements, all at once.

    `flag_words` explains flags to people. Raises UsageError where a level is none of the label's scale. What is
    asked of signature, log and validity is asked by the verification itself, and stands in its `failure`.
    """
    label = found.label
    assert label is not None and found.plan is not None, "a verification without failure has them"
    check_scale(label, requirements)
    lacking = [*_find_in_label(label, requirements)]
    if found.level < requirements.verification:
        says = f"{requirements.verification} is required, this is {found.level_name}: {found.reason}"
        lacking.append(Shortfall("verification", says))
    # the plan's date, not the signature's: signing again makes no answer younger
    oldest = requirements.max_age
    if oldest is not None and now - datetime.fromisoformat(found.plan.created) > oldest:
        says = f"planned {found.plan.created}, older than {oldest.days}d"
        lacking.append(Shortfall("max_age_days", says))
    if requirements.rubric is not None and requirements.rubric not in _names_of_rubric(label):
        says = f"rubric {requirements.rubric} is required, this label is by {label.rubric.id}"
        lacking.append(Shortfall("rubric", says))
    return lacking + _find_in_flags(found.flags, requirements.flags_forbidden, flag_words or {})


def _find_in_label(label: Label, requirements: Requirements) -> list[Shortfall]:
    granted, ruled_out = requirements.granted, requirements.ruled_out
    lacking = []
    if granted is not None and label.scale.index(label.lower) < label.scale.index(granted):
        lacking.append(Shortfall("granted", f"{granted} is required, {label.sentence}"))
    if ruled_out is not None and label.scale.index(label.upper) >= label.scale.index(ruled_out):
        lacking.append(Shortfall("ruled_out", f"{ruled_out} must be ruled out, {label.sentence}"))
    return lacking


def _names_of_rubric(label: Label) -> tuple[str, str]:
    return label.rubric.id, f"{label.rubric.id}@{label.rubric.version}"


def _find_in_flags(
    flags: Iterable[str], forbidden: Iterable[str], words: Mapping[str, str]
) -> list[Shortfall]:
    names = frozenset(forbidden)
    return [
        Shortfall(
            "flags_forbidden",
            f"the flag {flag} is forbidden" + (f": {words[flag]}" if flag in words else ""),
            flag,
        )
        for flag in flags
        if flag in names
    ]


def trust_own_keys() -> TrustPolicy:
    """One's own keys, for a reader who has no policy: he named nobody whose disputes count, and so all do."""
    own = trust_keys(*(load_public(path) for path in sorted((home_folder() / "keys").glob("*.pub"))))
    return replace(own, is_open_to_disputes=True)
