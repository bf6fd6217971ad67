"""A judge audited for drift: the same answers graded again, beside the grades that were recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from verilabel.detectors.interface import Finding
from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.records.canonical import digest, is_digest, jcs, parse_json, sha256_hex
from verilabel.records.score import DetectorCard, Scored
from verilabel.statistics.agreement import Drift, judge_drift, krippendorff_alpha, percent_agreement
from verilabel.statistics.arguments import Number

MAX_GRADES_BYTES = 64 * 2**20
MAX_GRADES = 400_000


class Grades(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a detector said of answers: the baseline of a later audit. Answers are named by their digest alone."""

    detector: str
    """`id@version`."""
    detector_sha256: str
    event: str
    grades: dict[str, bool | None]
    """`item_key` to whether the event was found; null where the answer was left unscored."""
    format: Literal["verilabel/grades/v1"] = "verilabel/grades/v1"

    def document(self) -> dict[str, object]:
        """The grades as a JSON document."""
        return {"format": self.format, **msgspec.to_builtins(self)}


class Audit(NamedTuple):
    """What came of grading again."""

    drift: Drift
    gained: int
    lost: int
    agreement: float | None
    """Share of the twice graded answers with the same grade."""
    alpha: float | None
    """Krippendorff's alpha of the two gradings."""
    rules_changed: bool
    """True where the recorded grades are by other rules (prompt, settings, version) than the detector's own."""
    only_before: int
    """Recorded grades of answers that were not graded again."""
    only_now: int
    """Answers graded now that have no recorded grade."""


def item_key(prompt: str, output: str) -> str:
    """What names an answer in a file of grades: a digest of prompt and answer, which tells neither."""
    return digest(jcs([_well_formed(prompt), _well_formed(output)]))


def collect_grades(card: DetectorCard, keys: Sequence[str], findings: Iterable[Finding]) -> Grades:
    """A detector's grades of answers, in a form that can be kept.

    The same prompt and answer graded more than once, differently, is left unscored: it decides nothing.
    """
    grades: dict[str, bool | None] = {}
    for key, finding in zip(keys, findings, strict=True):
        value = finding.value if isinstance(finding, Scored) else None
        if grades.setdefault(key, value) != value:
            grades[key] = None
    return Grades(card.name, card.sha256, card.event, grades)


def compare_grades(before: Grades, now: Grades, *, margin: Number = 0.02, alpha: Number = 0.05) -> Audit:
    """Compare two gradings of the same answers (`statistics.agreement.judge_drift` decides).

    Raises UsageError where they are of two events or have no answer in common.
    """
    if before.event != now.event:
        raise UsageError(f"the recorded grades are of {before.event!r}, the detector's of {now.event!r}")
    both = [key for key in now.grades if key in before.grades]
    # what was graded neither time tells nothing of either grading
    pairs = [pair for key in both if (pair := (before.grades[key], now.grades[key])) != (None, None)]
    if not pairs:
        raise UsageError(
            "no answer was graded both times", hint="the baseline is of other answers, or of other columns"
        )
    gained = sum(pair == (False, True) for pair in pairs)
    lost = sum(pair == (True, False) for pair in pairs)
    ungraded = sum(None in pair for pair in pairs)
    graded = [pair for pair in pairs if None not in pair]
    return Audit(
        judge_drift(gained, lost, ungraded, len(pairs), margin=margin, alpha=alpha),
        gained,
        lost,
        percent_agreement(graded),
        krippendorff_alpha(graded),
        rules_changed=before.detector_sha256 != now.detector_sha256,
        only_before=len(before.grades) - len(both),
        only_now=len(now.grades) - len(both),
    )


def choose_items(keys: Sequence[str], limit: int | None, seed: str = "") -> list[int]:
    """The places of at most `limit` items, chosen by SHA-256(seed, key): the same ones at every audit."""
    order = sorted(range(len(keys)), key=lambda place: sha256_hex(f"{seed}\x1f{keys[place]}".encode()))
    return sorted(order if limit is None else order[:limit])


def read_grades(path: str | PathLike[str]) -> Grades:
    """Read a file of grades. Raises MalformedInput where it is not one, LimitExceeded beyond 64 MiB."""
    where = str(path)
    with Path(path).open("rb") as file:
        data = file.read(MAX_GRADES_BYTES + 1)
    if len(data) > MAX_GRADES_BYTES:
        raise LimitExceeded(f"more than {MAX_GRADES_BYTES} bytes", where=where)
    try:
        grades = msgspec.convert(parse_json(data, where=where, max_bytes=MAX_GRADES_BYTES), Grades)
    except msgspec.ValidationError as error:
        raise MalformedInput(f"not a file of grades: {error}", where=where) from error
    if len(grades.grades) > MAX_GRADES:
        raise LimitExceeded(f"{len(grades.grades)} grades, at most {MAX_GRADES} are read", where=where)
    wrong = next((key for key in grades.grades if not is_digest(key)), None)
    if wrong is not None:
        raise MalformedInput(f"{wrong[:80]!r} is not the digest of an answer", where=f"{where}: $.grades")
    return grades


def encode_grades(grades: Grades) -> bytes:
    """The bytes of a file of grades."""
    return msgspec.json.format(jcs(grades.document()), indent=1) + b"\n"


def _well_formed(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
