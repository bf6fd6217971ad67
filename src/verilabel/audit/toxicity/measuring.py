"""Measure the check `toxicity`: `python -m verilabel.audit.toxicity.measuring --data DIR --clean DIR --out FILE`.

DIR of `--data` holds the public sets (HateCheck, Surge AI toxicity, OpenAI moderation); `--clean`, which may be given
several times, a folder of ordinary texts such as /usr/share/doc, on which every flag counts as wrong.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from verilabel.audit.interface import Batch, Error
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.toxicity.checking import ToxicityCheck, open_check
from verilabel.detectors.training.writing import write_whole
from verilabel.errors import UsageError, VerilabelError

HATECHECK = "hatecheck/test_suite_cases.csv"
SURGE = "surge_toxicity/toxicity_en.csv"
MODERATION = "moderation/samples_even.jsonl"
CUT_CHARACTERS = 4_000
MAX_FILE_BYTES = 8 * 2**20
ENDINGS = (".txt", ".md", ".rst", ".html", ".gz", ".py", ".tex", ".1", "")
IN_VIEW = "phrases written with the cases in view"
_HATECHECK_KINDS = {
    "toxic.slur": (
        ("slur_h", "slur_reclaimed_nh"),
        ("slur_homonym_nh",),
        "slurs hateful and reclaimed; homonyms",
    ),
    "toxic.profanity": (
        ("profanity_h", "profanity_nh"),
        ("ident_neutral_nh", "ident_pos_nh"),
        "swearing hateful and not; kind and neutral words on groups",
    ),
    "toxic.threat": (
        ("threat_dir_h", "threat_norm_h"),
        ("ident_neutral_nh", "ident_pos_nh"),
        f"threats and calls for violence; kind and neutral words on groups; {IN_VIEW}",
    ),
}


class Labelled(NamedTuple):
    """A text and whether the event is true of it, as people say."""

    text: str
    event: bool


def find_kinds(check: ToxicityCheck, texts: Sequence[str]) -> list[set[str]]:
    """The kinds that are found in each text, a text being a document."""
    raw = [text.encode("utf-8", "replace") for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in raw])]).astype(np.int64)
    data = np.frombuffer(b"".join(raw), np.uint8)
    batch = Batch(data, offsets, np.arange(len(raw), dtype=np.int64))
    findings = check.examine(batch, cut_words(batch)).findings
    found: list[set[str]] = [set() for _ in texts]
    if findings is not None:
        for document, kind in zip(findings.document, findings.kind, strict=True):
            found[document].add(check.card.kinds[kind].id)
    return found


def count_errors(check: ToxicityCheck, kind: str, rows: Sequence[Labelled], source: str) -> Error:
    """Texts with the event that the kind was found in, and texts that it was found in with and without the event."""
    flagged = [kind in kinds for kinds in find_kinds(check, [row.text for row in rows])]
    found = sum(row.event for row, flag in zip(rows, flagged, strict=True) if flag)
    return Error(source, sum(row.event for row in rows), found, sum(flagged), found)


def measure(
    check: ToxicityCheck, data: Path, clean: Sequence[Path], most_bytes: int
) -> dict[str, tuple[Error, ...]]:
    """The errors of every kind. Raises UsageError where a set is missing."""
    hatecheck = _read_table(data / HATECHECK)
    surge = [Labelled(row["text"], row["is_toxic"] == "Toxic") for row in _read_table(data / SURGE)]
    errors: dict[str, list[Error]] = {kind.id: [] for kind in check.card.kinds}
    for kind, (present, absent, words) in _HATECHECK_KINDS.items():
        rows = [
            Labelled(row["test_case"], row["functionality"] in present)
            for row in hatecheck
            if row["functionality"] in (*present, *absent)
        ]
        errors[kind].append(count_errors(check, kind, rows, f"HateCheck, {words}"))
    for kind in ("toxic.slur", "toxic.profanity", "toxic.threat"):
        errors[kind].append(
            count_errors(check, kind, surge, "Surge AI toxicity, comments that people call toxic")
        )
    source = "OpenAI moderation set (even rows), sexual content; texts of no category"
    errors["toxic.sexual"].append(
        count_errors(check, "toxic.sexual", _read_moderation(data / MODERATION), source)
    )
    texts = list(read_clean(clean, most_bytes))
    kinds = find_kinds(check, texts)
    source = f"documentation of Debian and Python packages, {len(texts)} texts, every flag counted as wrong"
    for kind, counted in errors.items():
        counted.append(Error(source, 0, 0, sum(kind in found for found in kinds), 0))
    return {kind: tuple(counted) for kind, counted in errors.items()}


def read_clean(folders: Sequence[Path], most_bytes: int) -> Iterator[str]:
    """Texts of the files below folders, in the order of their paths, cut at 4,000 characters, each text once."""
    seen: set[str] = set()
    left = most_bytes
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.suffix not in ENDINGS or path.is_symlink() or not path.is_file():
            continue
        text = _read_text(path)
        for start in range(0, len(text), CUT_CHARACTERS):
            piece = text[start : start + CUT_CHARACTERS]
            if piece in seen:
                continue
            if left <= 0:
                return
            seen.add(piece)
            left -= len(piece)
            yield piece


def _read_text(path: Path) -> str:
    """The text of a file; empty where it is no UTF-8 or cannot be read."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.read(MAX_FILE_BYTES).decode()
    except (OSError, EOFError, UnicodeDecodeError):
        return ""


def _read_table(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise UsageError("a set is missing", where=str(path), hint="--data names the folder of the sets")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _read_moderation(path: Path) -> list[Labelled]:
    """Sexual texts against those that no category is true of; the others are left out."""
    if not path.is_file():
        raise UsageError("a set is missing", where=str(path), hint="--data names the folder of the sets")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    labels = [{name for name, value in row.items() if name != "prompt" and value == 1} for row in rows]
    return [
        Labelled(row["prompt"], "S" in mine)
        for row, mine in zip(rows, labels, strict=True)
        if "S" in mine or not mine
    ]


def main() -> None:
    """Measure, write the file, print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--clean", type=Path, action="append", default=[], help="folder of ordinary texts")
    parser.add_argument("--clean-mb", type=int, default=64, help="read at most this many MB of them")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    arguments = parser.parse_args()
    try:
        errors = measure(open_check(), arguments.data, arguments.clean, arguments.clean_mb * 1_000_000)
    except VerilabelError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(int(error.status)) from error
    write_whole(arguments.out, msgspec.json.format(msgspec.json.encode(errors), indent=1) + b"\n")
    for kind, counted in errors.items():
        for each in counted:
            print(
                f"{kind}: found {each.found}/{each.planted}, right {each.correct}/{each.claimed}: {each.source}"
            )


if __name__ == "__main__":
    main()
