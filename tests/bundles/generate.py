"""Makes the stored bundles beside this file: one genuine, the others named after their defect.

They are made from fixed keys, seeds and times by the product's own steps and then broken on purpose. What each must
be found to be stands in `expected.json`, which is written by hand. Run it only when the bundle format changes:

    python tests/bundles/generate.py

and read the difference: old bundles that no longer verify are broken promises to whoever holds one.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import msgspec  # noqa: E402

from bundle_factory import ATTACKER, ATTACKER_LOG, ISSUER, LOG, RUBRIC, Recipe, make_bundle  # noqa: E402
from bundle_forgery import (  # noqa: E402
    Change,
    Forger,
    change_document,
    change_plan,
    change_records,
    forge,
    swap_rubric,
)
from verilabel.evidence import layout  # noqa: E402
from verilabel.evidence.container import write_zip  # noqa: E402
from verilabel.evidence.lines import Line  # noqa: E402
from verilabel.records.attempt import Attempt  # noqa: E402
from verilabel.records.score import Scored  # noqa: E402

SMALL = Recipe(sizes=(("quiz", 6),), accuracy="1")
SEALER = Forger(key=ISSUER, log_key=LOG, days=36500)
"""Seals a broken bundle as its issuer would: the defect is then in what was signed."""
INDEX = layout.suite_files("test/quiz@1.0.0")[1]
SUITE = layout.suite_files("test/quiz@1.0.0")[0]
Maker = Callable[[Path, Path], None]
"""Makes a stored bundle: the genuine folder, and where to put the result (without `.zip`)."""


def main() -> None:
    """Make every bundle that `expected.json` names, and nothing else."""
    expected = json.loads((HERE / "expected.json").read_text())
    if expected.keys() != MAKERS.keys():
        raise SystemExit(f"expected.json and this script differ in {sorted(expected.keys() ^ MAKERS.keys())}")
    for old in HERE.iterdir():
        if old.is_dir() and old.name != "__pycache__":
            shutil.rmtree(old)
        elif old.suffix == ".zip":
            old.unlink()
    with tempfile.TemporaryDirectory() as scratch:
        genuine = make_bundle(Path(scratch), SMALL).path
        for name, make in MAKERS.items():
            make(genuine, HERE / name)


def zipped(change: Change, forger: Forger | None = SEALER) -> Maker:
    """A zip of the genuine bundle after a change; sealed again where there is a forger."""

    def make(genuine: Path, target: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "bundle"
            if forger is None:
                shutil.copytree(genuine, folder)
                change(folder)
            else:
                forge(genuine, folder, change, forger)
            write_zip(folder, target.with_suffix(".zip"))

    return make


def in_folder(change: Change) -> Maker:
    """The genuine bundle as a folder, changed and not sealed again."""

    def make(genuine: Path, target: Path) -> None:
        shutil.copytree(genuine, target)
        change(target)

    return make


def in_zip(change: Callable[[bytes], bytes]) -> Maker:
    """The genuine bundle's zip with its bytes changed."""

    def make(genuine: Path, target: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            write_zip(genuine, Path(scratch) / "bundle.zip")
            target.with_suffix(".zip").write_bytes(change((Path(scratch) / "bundle.zip").read_bytes()))

    return make


def repacked(write: Callable[[zipfile.ZipFile, list[tuple[str, bytes]]], None]) -> Maker:
    """The genuine bundle's files packed by an ordinary zip program."""

    def make(genuine: Path, target: Path) -> None:
        names = sorted(p.relative_to(genuine).as_posix() for p in genuine.rglob("*") if p.is_file())
        with zipfile.ZipFile(target.with_suffix(".zip"), "w") as archive:
            write(archive, [(name, (genuine / name).read_bytes()) for name in names])

    return make


def _entry(name: str, method: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = method
    return info


def _write_compressed(archive: zipfile.ZipFile, files: list[tuple[str, bytes]]) -> None:
    for name, data in files:
        archive.writestr(_entry(name, zipfile.ZIP_DEFLATED), data)


def _write_with(extra: str) -> Callable[[zipfile.ZipFile, list[tuple[str, bytes]]], None]:
    def write(archive: zipfile.ZipFile, files: list[tuple[str, bytes]]) -> None:
        for name, data in files:
            archive.writestr(_entry(name), data)
        archive.writestr(_entry(extra), b"owned\n")

    return write


def nothing(folder: Path) -> None:
    """No change."""


def write_bytes(path: str, change: Callable[[bytes], bytes]) -> Change:
    """A change of a file's bytes."""

    def apply(folder: Path) -> None:
        before = (folder / path).read_bytes()
        after = change(before)
        if before == after:
            raise SystemExit(f"the change of {path} changed nothing")
        (folder / path).write_bytes(after)

    return apply


def replace_text(path: str, old: bytes, new: bytes) -> Change:
    """A change of the first occurrence of some text."""
    return write_bytes(path, lambda data: data.replace(old, new, 1))


def _flip_middle(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _forge_scores(records: list[Line]) -> list[Line]:
    return [msgspec.structs.replace(r, value=not r.value) if isinstance(r, Scored) else r for r in records]


def _ask_again(records: list[Line]) -> list[Line]:
    first = records[0]
    assert isinstance(first, Attempt)
    return [first, msgspec.structs.replace(first, attempt=2), *records[1:]]


def _write_link(folder: Path) -> None:
    (folder / layout.EVIDENCE).unlink()
    (folder / layout.EVIDENCE).symlink_to("../../good/records/evidence.jsonl")


def _write_extra(folder: Path) -> None:
    (folder / "records" / "more.jsonl").write_bytes(b"{}\n")


def _write_other_signer(folder: Path) -> None:
    (folder / layout.SIGNER_KEY).write_bytes(ATTACKER.public.file_bytes())


def _write_other_log(folder: Path) -> None:
    (folder / layout.LOG_KEY).write_bytes(ATTACKER_LOG.public.file_bytes())


SHORT_LIVED = replace(SEALER, issued=datetime(2020, 1, 1, tzinfo=UTC), days=30)
EARLY = replace(SEALER, issued=datetime(2120, 1, 1, tzinfo=UTC), days=30)

MAKERS: dict[str, Maker] = {
    "good": in_folder(nothing),
    "good_in_one_file": zipped(nothing, None),
    # who signed, when, and where it was logged
    "unsigned": zipped(nothing, replace(SEALER, key=None)),
    "no_log_entry": zipped(nothing, replace(SEALER, log_key=None)),
    "expired": zipped(nothing, SHORT_LIVED),
    "not_yet_valid": zipped(nothing, EARLY),
    "signed_for_too_long": zipped(nothing, replace(SEALER, days=36501)),
    "wrong_key": zipped(_write_other_signer, None),
    "changed_signature": zipped(replace_text(layout.ATTESTATION, b'"sig":"', b'"sig":"AAAA'), None),
    "changed_payload": zipped(replace_text(layout.ATTESTATION, b'"payload":"eyJ', b'"payload":"eyI'), None),
    "log_of_another_key": zipped(_write_other_log, None),
    "log_without_signature": zipped(lambda folder: shutil.rmtree(folder / "attestations"), None),
    "half_a_log": zipped(lambda folder: (folder / layout.LABEL_PROOF).unlink(), None),
    "changed_consistency": zipped(replace_text(layout.CONSISTENCY, b'"proof":["', b'"proof":["AAAA'), None),
    "plan_logged_after_label": zipped(nothing, replace(SEALER, logs_plan_after_label=True)),
    "plan_that_was_not_logged": zipped(
        change_plan(lambda plan: plan.update(max_attempts=9)), replace(SEALER, keeps_plan_proof=True)
    ),
    # what was measured, by which rule
    "swapped_rubric": zipped(swap_rubric(RUBRIC.replace("0.95", "0.50"), in_plan=False)),
    "plan_for_another_rubric": zipped(
        swap_rubric(RUBRIC.replace("0.95", "0.50"), in_plan=False), replace(SEALER, decides_again=True)
    ),
    "plan_for_another_system": zipped(
        change_document(layout.SYSTEM, lambda system: system.update(name="better-model"))
    ),
    "plan_with_another_measure": zipped(
        change_plan(lambda plan: plan["measures"][0].update(where={"level": ["easy"]}))
    ),
    "plan_with_unknown_detector": zipped(
        change_plan(lambda plan: plan["measures"][0].update(detector="x@1"))
    ),
    "plan_with_negative_limit": zipped(change_plan(lambda plan: plan["streams"][0].update(limit=-1))),
    "plan_with_huge_weight": zipped(
        change_plan(lambda plan: plan["streams"][0].update(strata={"a": "1e999999999"}))
    ),
    "swapped_suite": zipped(replace_text(SUITE, b"four options", b"five options")),
    "changed_system_prompt": zipped(replace_text(layout.SYSTEM_PROMPT, b"one letter", b"two words!")),
    "rubric_with_alias": zipped(replace_text(layout.RUBRIC, b"title: A", b"title: &a A")),
    # the evidence, and what was made of it
    "removed_record": zipped(change_records(lambda records: records[:4] + records[6:])),
    "removed_score": zipped(change_records(lambda records: records[:5] + records[6:])),
    "removed_attempt": zipped(change_records(lambda records: records[:2] + records[3:])),
    "cut_short": zipped(
        change_records(lambda records: records[:-2]), replace(SEALER, counts_again=True, decides_again=True)
    ),
    "reordered_record": zipped(change_records(lambda records: records[2:4] + records[:2] + records[4:])),
    "repeated_record": zipped(change_records(lambda records: records[:4] + records[2:])),
    "asked_again": zipped(change_records(_ask_again)),
    "cherry_picked_order": zipped(change_plan(lambda plan: plan.update(seed="cherry"))),
    "forged_score": zipped(change_records(_forge_scores)),
    "forged_count": zipped(
        change_document(layout.MEASURES, lambda d: d["measures"]["quiz.right"].update(events=5))
    ),
    "forged_label": zipped(
        change_document(layout.LABEL, lambda d: d.update(granted={"id": "L3", "name": "Strong"}))
    ),
    "label_without_its_other_half": zipped(
        change_document(layout.LABEL, lambda d: d.update(cannot_exclude_up_to=d["granted"]))
    ),
    "another_root": zipped(nothing, replace(SEALER, root="sha256:" + "ab" * 32)),
    "evidence_with_duplicate_key": zipped(replace_text(layout.EVIDENCE, b'{"kind"', b'{"epoch":2,"kind"')),
    "evidence_with_spare_space": zipped(replace_text(layout.EVIDENCE, b'{"kind"', b'{ "kind"')),
    "evidence_with_bad_utf8": zipped(replace_text(layout.EVIDENCE, b"letter", b"l\xfftter")),
    "evidence_with_unknown_field": zipped(replace_text(layout.EVIDENCE, b'{"kind"', b'{"mood":1,"kind"')),
    "evidence_with_cut_last_line": zipped(write_bytes(layout.EVIDENCE, lambda data: data[:-1])),
    "index_with_duplicate_sample": zipped(replace_text(INDEX, b"quiz-01", b"quiz-00")),
    # the container and the manifest
    "changed_byte": zipped(write_bytes(layout.PLAN, _flip_middle), None),
    "changed_byte_of_evidence": zipped(replace_text(layout.EVIDENCE, b"What is", b"What if"), None),
    "changed_byte_of_zip": in_zip(_flip_middle),
    "extra_file": zipped(_write_extra, None),
    "missing_file": zipped(lambda folder: (folder / layout.OBSERVATIONS).unlink(), None),
    "longer_file": zipped(write_bytes(layout.SURPLUS, lambda data: data + b"\n"), None),
    "unknown_format": zipped(replace_text(layout.MANIFEST, b"bundle/v1", b"bundle/v9"), None),
    "duplicate_key": zipped(replace_text(layout.MANIFEST, b'{"entries"', b'{"format":"x","entries"'), None),
    "deep_nesting": zipped(write_bytes(layout.MANIFEST, lambda data: b"[" * 5000 + b"]" * 5000), None),
    "huge_number": zipped(replace_text(layout.MANIFEST, b'"size":', b'"size":9' + b"0" * 400), None),
    "decimal_number": zipped(replace_text(layout.MANIFEST, b'"size":', b'"size":0.'), None),
    "bad_utf8": zipped(replace_text(layout.MANIFEST, b"verilabel", b"veril\xffbel"), None),
    "spare_space": zipped(replace_text(layout.MANIFEST, b"{", b"{ "), None),
    "manifest_with_parent_path": zipped(
        replace_text(layout.MANIFEST, b"plan/plan.json", b"../../plan.json"), None
    ),
    "symlink": in_folder(_write_link),
    "path_traversal": repacked(_write_with("../../escaped.txt")),
    "absolute_path": repacked(_write_with("/tmp/escaped.txt")),
    "compressed_zip": repacked(_write_compressed),
    "zip_with_comment": in_zip(lambda data: data[:-2] + b"\2\0hi"),
    "zip_with_gap": in_zip(lambda data: b"\0" + data),
    "zip_cut_short": in_zip(lambda data: data[:-100]),
    "not_a_zip": in_zip(lambda data: b"This is not the bundle that you are looking for.\n"),
}

if __name__ == "__main__":
    main()
