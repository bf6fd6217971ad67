"""Answers about labels: which there are for a system, how they verify, why a row stands, whether one may be used.

No text of a record is ever answered: names, levels, counts, bounds and reasons alone. What a bundle's maker may have
written (names, reasons) is bounded and shown plainly.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from verilabel.errors import MalformedInput, UsageError
from verilabel.evidence.requirements import Requirements, find_shortfalls
from verilabel.evidence.verification import Verification
from verilabel.gateway.mcp.server.arguments import CheckAdmission, ExplainRow, FindLabel, VerifyBundle
from verilabel.gateway.mcp.server.harmless_text import show_plainly
from verilabel.gateway.mcp.server.library import Examined, Library
from verilabel.records.label import PAIR_WORDS, LevelResult, Row
from verilabel.rubric.explain import explain_row

MAX_ROWS = 500
MIN_DIGEST = 12
"""Characters of a digest, with its `sha256:`, that name a system."""


class Answer(NamedTuple):
    """What a tool answers: a document, and the same in a line or a few for people."""

    document: dict[str, Any]
    text: str


async def find_label(library: Library, asked: FindLabel) -> Answer:
    """Every label whose system or model has the name, exactly where one has, else as a part of it."""
    examined = await library.examine_all()
    found = _of_name(examined, asked.name)
    labels = [summarise_label(each, library.now) for each in found]
    unverified = [
        {"bundle": each.name, "problem": _problem_of(each)} for each in examined if not each.follows
    ]
    document = {"asked": asked.name, "labels": labels, "without_label": unverified}
    lines = [_line_of(label) for label in labels]
    if not lines:
        lines = [f"no label for {show_plainly(asked.name)} among {len(examined)} bundles"]
    if unverified:
        lines.append(f"{len(unverified)} bundles give no label: see without_label")
    return Answer(document, "\n".join(lines))


async def verify(library: Library, asked: VerifyBundle) -> Answer:
    """The verifier's steps on one bundle."""
    examined = await library.examine(asked.bundle)
    found = examined.found
    if found is None:
        assert examined.problem is not None, "a bundle that was not verified has a problem"
        raise examined.problem
    steps = [
        {"number": s.number, "name": s.name, "outcome": s.outcome, "detail": show_plainly(s.detail)}
        for s in found.steps
    ]
    document = {
        "bundle": examined.name,
        "genuine": examined.problem is None,
        "level": str(found.level),
        "reason": show_plainly(found.reason),
        "sentence": show_plainly(found.sentence),
        "signer": show_plainly(found.signer),
        "keyid": show_plainly(found.keyid),
        "flags": [show_plainly(flag) for flag in found.flags[:100]],
        "records": found.leaves,
        "steps": steps,
        "problem": _problem_of(examined),
    }
    text = f"{examined.name}: {document['sentence']}"
    if examined.problem is not None:
        text = f"{examined.name}: {document['problem']}"
    return Answer(document, text)


async def explain(library: Library, asked: ExplainRow) -> Answer:
    """Why a level stands as it does: its rows with counts, bounds and outcome."""
    examined = await library.examine(asked.bundle)
    label = _standing(examined).label
    assert label is not None, "a verification that stands has a label"
    levels = [level for level in label.levels if asked.level in (None, level.level)]
    if not levels:
        has = ", ".join(dict.fromkeys(level.level for level in label.levels))
        raise UsageError(
            "the label has no rule for this level", where="level", hint=f"it has {show_plainly(has)}"
        )
    explained = [_explain_level(level, asked.row) for level in levels]
    if asked.row is not None and not any(level["rows"] for level in explained):
        raise UsageError("no level has a row of this number", where="row")
    document = {
        "bundle": examined.name,
        "label": show_plainly(label.sentence),
        "rubric": show_plainly(f"{label.rubric.id}@{label.rubric.version}"),
        "levels": explained,
    }
    lines = [show_plainly(label.sentence) or ""]
    for level in explained:
        lines.append(f"{level['level']} ({level['test']}): {level['status']}")
        lines += [f"  [{row['number']}] {row['says']}" for row in level["rows"]]
    return Answer(document, "\n".join(lines))


async def check_admission(library: Library, asked: CheckAdmission) -> Answer:
    """Whether a label of the system meets what is asked; every reason why not, bundle by bundle."""
    if asked.granted is None and asked.ruled_out is None:
        raise UsageError("nothing is asked of the label", hint="give granted or ruled_out")
    examined = await library.examine_all()
    named = [each for each in examined if each.name == asked.name] or _of_name(examined, asked.name)
    requirements = Requirements(
        granted=asked.granted,
        ruled_out=asked.ruled_out,
        verification=asked.verification,
        max_age=None if asked.max_age_days is None else timedelta(days=asked.max_age_days),
        rubric=asked.rubric,
        flags_forbidden=asked.flags_forbidden,
    )
    checked = [
        {"bundle": each.name, "reasons": _find_reasons(each, requirements, library.now)} for each in named
    ]
    admitted = [each["bundle"] for each in checked if not each["reasons"]]
    reasons = [] if named else ["there is no label of this name"]
    document = {"asked": asked.name, "admitted": bool(admitted), "by": admitted, "checked": checked}
    document["reasons"] = reasons
    if admitted:
        text = f"admitted by {', '.join(map(str, admitted))}"
    else:
        says = reasons + [f"{each['bundle']}: {'; '.join(each['reasons'])}" for each in checked]
        text = "not admitted: " + " | ".join(says)
    return Answer(document, text)


def summarise_label(examined: Examined, now: datetime) -> dict[str, Any]:
    """One label in short: the pair, the level of verification, age and validity, flags."""
    found = examined.found
    assert found is not None and found.label is not None, "only bundles with a label are summarised"
    label, system, plan = found.label, found.system, found.plan
    low, high = PAIR_WORDS[label.kind]
    planned = None if plan is None else plan.created
    age = None if planned is None else (now - datetime.fromisoformat(planned)).days
    return {
        "bundle": examined.name,
        "system": show_plainly(None if system is None else system.name),
        "model": show_plainly(None if system is None else system.provider_model),
        "system_digest": None if system is None else system.digest,
        "sentence": show_plainly(found.sentence),
        "rubric": show_plainly(f"{label.rubric.id}@{label.rubric.version}"),
        "kind": label.kind,
        low: show_plainly(label.lower),
        high: show_plainly(label.upper),
        "verification": str(found.level),
        "in_force": examined.problem is None,
        "planned": planned,
        "age_days": age,
        "valid_until": found.valid_until,
        "signer": show_plainly(found.signer),
        "flags": [show_plainly(flag) for flag in found.flags[:100]],
        "problem": _problem_of(examined),
    }


def _line_of(label: dict[str, Any]) -> str:
    flags = ", ".join(flag for flag in label["flags"] if flag != "current")
    line = f"{label['bundle']}: {label['sentence']}"
    if not label["in_force"]:
        line += f" NOT IN FORCE: {label['problem']}."
    return f"{line} Flags: {flags}." if flags else line


def _of_name(examined: Sequence[Examined], name: str) -> list[Examined]:
    wanted = name.casefold()
    exact, within = [], []
    for each in examined:
        found = each.found
        if not each.follows or found is None or found.system is None:
            continue
        system = found.system
        names = (system.name.casefold(), system.provider_model.casefold())
        is_digest = len(name) >= MIN_DIGEST and system.digest.startswith(name)
        if wanted in names or is_digest:
            exact.append(each)
        elif any(wanted in one for one in names):
            within.append(each)
    return exact or within


def _problem_of(examined: Examined) -> str | None:
    return None if examined.problem is None else show_plainly(examined.problem.message)


def _standing(examined: Examined) -> Verification:
    """The finding of a bundle whose label stands. Raises its problem, or MalformedInput where it has no label."""
    if examined.problem is not None:
        raise examined.problem
    if examined.found is None or examined.found.label is None:
        raise MalformedInput("the bundle has no label", where=examined.name)
    return examined.found


def _find_reasons(examined: Examined, requirements: Requirements, now: datetime) -> list[str]:
    if examined.problem is not None or examined.found is None or examined.found.label is None:
        return [_problem_of(examined) or "the bundle has no label"]
    found = examined.found
    try:
        lacking = [shortfall.says for shortfall in find_shortfalls(found, requirements, now=now)]
    except UsageError as error:
        lacking = [error.message]
    if "signer_unpinned" in found.flags:
        lacking.append("nobody vouched for the signer's key: this server was started without a trust policy")
    return [show_plainly(says) or "" for says in lacking]


def _explain_level(level: LevelResult, number: int | None) -> dict[str, Any]:
    rows = [
        _explain_one(place, row)
        for place, row in enumerate(level.rows[:MAX_ROWS], 1)
        if number in (None, place)
    ]
    return {
        "level": show_plainly(level.level),
        "name": show_plainly(level.name),
        "test": level.test,
        "status": level.status,
        "rows": rows,
        "rows_left_out": max(0, len(level.rows) - MAX_ROWS),
    }


def _explain_one(number: int, row: Row) -> dict[str, Any]:
    return {
        "number": number,
        "status": row.status,
        "measure": show_plainly(row.measure or row.attested),
        "op": row.op,
        "threshold": row.threshold,
        "n": row.n,
        "events": row.events,
        "missing": row.missing,
        "rate": row.rate,
        "lower": row.lower,
        "upper": row.upper,
        "says": show_plainly(explain_row(row), 600),
    }
