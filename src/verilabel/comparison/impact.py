"""What another version of a rubric would change: every bundle of a folder decided again, and the labels that flip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from verilabel.comparison.findings import read_evidence
from verilabel.comparison.lens import Lens, Reading
from verilabel.errors import UsageError, VerilabelError
from verilabel.evidence.container import open_container
from verilabel.evidence.layout import MANIFEST, RUBRIC
from verilabel.evidence.reading import read_document
from verilabel.evidence.statement import parse_time
from verilabel.evidence.verification import Verification
from verilabel.records.label import Label, Row
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import Rubric

Outcome = Literal["flipped", "same", "other_rubric", "not_decided"]
MAX_BUNDLES = 10_000
MAX_DEPTH = 6
"""Folders below the one that is searched."""


class Impact(msgspec.Struct, frozen=True, omit_defaults=True):
    """One bundle under the new version. `why` is in words: the rows that changed, or why nothing was decided."""

    bundle: str
    outcome: Outcome
    old: str | None = None
    """The pair under the rubric that the bundle carries."""
    new: str | None = None
    why: tuple[str, ...] = ()


def find_bundles(folder: Path) -> tuple[Path, ...]:
    """The bundles in a folder and the folders below it, in order of their paths. Links are not followed.

    Raises UsageError where there is no folder or no bundle, or where there are more than `MAX_BUNDLES`.
    """
    if not folder.is_dir():
        raise UsageError("there is no such folder", where=str(folder))
    found = sorted(_walk(folder, MAX_DEPTH))
    if not found:
        raise UsageError(
            "there is no bundle here", where=str(folder), hint="a folder with bundle.json, or a .zip"
        )
    if len(found) > MAX_BUNDLES:
        raise UsageError(f"more than {MAX_BUNDLES} bundles", where=str(folder))
    return tuple(found)


def _walk(folder: Path, depth: int) -> list[Path]:
    if (folder / MANIFEST).is_file():
        return [folder]
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            continue
        if path.is_file() and path.suffix == ".zip":
            found.append(path)
        elif path.is_dir() and depth:
            found += _walk(path, depth - 1)
    return found


def weigh_impact(
    rubric: Rubric,
    bundles: Sequence[Path],
    verify: Callable[[Path], Verification],
    *,
    any_rubric: bool = False,
) -> tuple[Impact, ...]:
    """What each bundle's label becomes under `rubric`.

    `verify` verifies a bundle; what does not reach V1 is not decided, and says why. Bundles of another rubric's id are
    passed over by name unless `any_rubric`.
    """
    return tuple(_weigh(rubric, path, verify, any_rubric=any_rubric) for path in bundles)


def _weigh(rubric: Rubric, path: Path, verify: Callable[[Path], Verification], *, any_rubric: bool) -> Impact:
    found = verify(path)
    if found.level == "V0" or found.plan is None:
        return Impact(str(path), "not_decided", why=(f"{found.level_name}: {found.reason}",))
    if found.plan.rubric.id != rubric.id and not any_rubric:
        name = f"{found.plan.rubric.id}@{found.plan.rubric.version}"
        return Impact(str(path), "other_rubric", why=(f"its label is by {name}",))
    try:
        before, after = read_old_and_new(path, found, rubric)
    except VerilabelError as error:
        return Impact(str(path), "not_decided", why=(str(error),))
    if before.label is None or after.label is None:
        undecided = after if after.label is None else before
        why = tuple(missing.why for missing in undecided.unassessed)
        old = before.label.sentence if before.label else None
        return Impact(str(path), "not_decided", old=old, why=why)
    return _compare(path, before.label, after.label, after)


def read_old_and_new(path: Path, found: Verification, rubric: Rubric) -> tuple[Reading, Reading]:
    """A bundle's evidence under the rubric that it carries and under another, both at the time it was signed."""
    evidence = read_evidence(path, found)
    with open_container(path) as container:
        own = load_rubric(read_document(container, RUBRIC), RUBRIC)
    moment = parse_time(found.issued or evidence.plan.created, where="the label's time")
    before, after = Lens(evidence, moment=moment).read_all((own, rubric))
    return before, after


def _compare(path: Path, before: Label, after: Label, reading: Reading) -> Impact:
    flipped = _pair(before) != _pair(after)
    why = tuple(_changed_rows(before, after)) if flipped else ()
    if flipped and not why:
        why = ("the same rows put together otherwise",)
    notes = tuple(f"{missing.what}: {missing.why}" for missing in reading.unassessed) if flipped else ()
    return Impact(
        str(path), "flipped" if flipped else "same", before.sentence, after.sentence, (*why, *notes)
    )


def _pair(label: Label) -> tuple[str, str, str]:
    return label.kind, label.lower, label.upper


def _changed_rows(before: Label, after: Label) -> list[str]:
    """Rows whose outcome differs, matched by level, rule, and measure or attestation with the side of the row."""
    old, new = _rows(before), _rows(after)
    changed = []
    for key in dict.fromkeys((*old, *new)):
        was, now = old.get(key), new.get(key)
        where = " ".join(key[:2])
        if was is None and now is not None and now.status != "met":
            changed.append(f"{where}: also asks {_say(now)}: {_status(now)}")
        elif now is None and was is not None and was.status != "met":
            changed.append(f"{where}: no longer asks {_say(was)} ({_status(was)})")
        elif was is not None and now is not None and was.status != now.status:
            changed.append(f"{where}: {_say(was)} {_status(was)}, {_say(now)} {_status(now)}")
    return changed


def _rows(label: Label) -> dict[tuple[str, str, str, int], Row]:
    rows: dict[tuple[str, str, str, int], Row] = {}
    for level in label.levels:
        for row in level.rows:
            subject = row.attested or f"{row.measure} {(row.op or '<')[0]}"
            turn = 0
            while (level.level, level.test, subject, turn) in rows:
                turn += 1
            rows[level.level, level.test, subject, turn] = row
    return rows


def _say(row: Row) -> str:
    return f"attested {row.attested}" if row.attested else f"{row.measure} {row.op} {row.threshold}"


def _status(row: Row) -> str:
    return row.status.replace("_", " ")
