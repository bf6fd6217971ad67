"""What the admission rows of a policy must be: waivers of something that is asked, by someone, until a day."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from verilabel.gateway.policy.document import AdmissionRow, GuardEntry, Policy, Waiver
from verilabel.gateway.policy.forms import nearest
from verilabel.gateway.policy.remark import Remark, doubt, mistake

SCOPE_KEYS = ("params", "system_prompt", "tools", "guardrails", "provider_model", "base_url", "fingerprint")
"""What a row can ask to be as the label says (`admission.scope` compares it)."""
LABEL = "label"
"""The name under which it is waived that there is a bundle at all, and in force."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def check_admission(rows: tuple[AdmissionRow, ...], today: date) -> Iterator[Remark]:
    """Everything wrong or doubtful in admission rows."""
    for index, row in enumerate(rows):
        where = f"$.admit[{index}]"
        if not row.route or "*" in row.route[:-1]:
            yield mistake(f"{where}.route", "neither a name nor a prefix and *", "like gpt-*")
        if row.granted is not None and row.ruled_out is not None:
            yield mistake(where, "a label is on one scale: granted, or ruled_out")
        if row.rubric is None and (row.granted or row.ruled_out):
            yield doubt(
                f"{where}.rubric", "levels of any rubric count: one of another may be easier to reach"
            )
        if row.max_age_days is not None and row.max_age_days < 1:
            yield mistake(f"{where}.max_age_days", "at least one day")
        for key in row.scope:
            if key not in SCOPE_KEYS:
                yield mistake(
                    f"{where}.scope", f"no label is held to {key!r} here", nearest(key, list(SCOPE_KEYS))
                )
        if row.otherwise == "flag":
            yield doubt(f"{where}.otherwise", "flag: a model whose label does not fit is used all the same")
        for place, waiver in enumerate(row.waivers):
            yield from _check_waiver(waiver, requirements(row), f"{where}.waivers[{place}]", today)


def check_bound_files(policy: Policy) -> Iterator[Remark]:
    """A label is bound to a policy's bytes: guards may read no files beside it where rows ask for `guardrails`."""
    for index, row in enumerate(policy.admit):
        if "guardrails" not in row.scope:
            continue
        for guard in policy.guards:
            if named := _file_named_by(guard):
                yield mistake(
                    f"$.admit[{index}].scope",
                    f"guardrails: the guard {guard.id!r} reads {named}, which the policy's digest does not cover",
                    "write it into the policy, or leave guardrails out of the scope",
                )


def _file_named_by(guard: GuardEntry) -> str | None:
    """The setting by which a guard reads what it judges by from a file or folder, or None. A key judges nothing."""
    if guard.use == "nemo":
        return "its config"
    waiting: list[Mapping[str, Any]] = [guard.settings]
    while waiting:
        for name, value in waiting.pop().items():
            if name.endswith("_file") and name != "key_file" and value:
                return name
            if isinstance(value, Mapping):
                waiting.append(value)
    return None


def requirements(row: AdmissionRow) -> tuple[str, ...]:
    """What a row asks, by the names under which it can be waived.

    `scope.KEY` and `flags_forbidden.FLAG` name one key or flag; `scope` and `flags_forbidden` all of them.
    """
    asked = [
        name for name in ("rubric", "granted", "ruled_out", "max_age_days") if getattr(row, name) is not None
    ]
    asked += ["verification", LABEL]
    for name in ("scope", "flags_forbidden"):
        words = getattr(row, name)
        asked += [name] * bool(words) + [f"{name}.{word}" for word in words]
    return tuple(asked)


def waives_label(row: AdmissionRow) -> bool:
    """True if the row waives, or once waived, that there is a label at all."""
    return any(waiver.requirement == LABEL for waiver in row.waivers)


def _check_waiver(waiver: Waiver, asked: tuple[str, ...], where: str, today: date) -> Iterator[Remark]:
    if waiver.requirement not in asked:
        yield mistake(
            f"{where}.requirement",
            f"the row does not ask for {waiver.requirement!r}: there is nothing to waive",
            nearest(waiver.requirement, list(asked)),
        )
    for name in ("reason", "by"):
        if not getattr(waiver, name).strip():
            yield mistake(f"{where}.{name}", "a waiver is by somebody, for a reason")
    day = _parse_day(waiver.until)
    if day is None:
        yield mistake(f"{where}.until", f"{waiver.until[:40]!r} is no day", "like 2027-01-31")
    elif day < today:
        yield doubt(f"{where}.until", f"the waiver ended on {day}: the requirement is asked again")


def _parse_day(text: str) -> date | None:
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
