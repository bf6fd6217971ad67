"""The questions of an imported run as a suite: one made from the records, or one that is there already.

A suite's sample is one question with at most a system turn. A log of conversations or with tools cannot be one, and is
refused with the reason rather than flattened.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verilabel.errors import CheckFailed
from verilabel.interchange.importing.run import ImportedRecord, ImportedRun
from verilabel.records.canonical import jcs, sha256_hex
from verilabel.suites.loading import SUITE_FILE, Suite, load_suite

DATA_FILE = "samples.jsonl"
VERSION = "1.0.0"
MAX_SLUG = 60
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Answers:
    """A suite with the record of each sample and repetition."""

    suite: Suite
    records: Mapping[str, tuple[ImportedRecord, ...]]
    """Sample id to its answers, one for each epoch."""
    epochs: int
    system_prompt: str | None
    """The system turn that all samples share; it belongs to the system and not to the suite."""


def slug_of(run: ImportedRun) -> str:
    """A name for the suite of a run: its task in lower-case letters, digits and dashes."""
    text = _NOT_SLUG.sub("-", (run.task or run.dataset or run.tool).lower())[:MAX_SLUG].strip("-")
    return text or run.tool


def suite_name(run: ImportedRun) -> str:
    """`id@version` of the suite that would be made of a run."""
    return f"imported/{slug_of(run)}@{VERSION}"


def require_answers(run: ImportedRun) -> None:
    """Check that every record holds what a bundle needs of it. Raises CheckFailed naming what is not there."""
    for record in run.records:
        if not record.messages:
            problem = "its prompt is not in the log"
        elif not record.is_plain_text:
            problem = "its prompt or answer is not text alone (tool calls, images, log-likelihoods)"
        elif record.output is None and record.error is None:
            problem = "its answer is not in the log"
        else:
            continue
        raise CheckFailed(
            f"no label can be made: sample {record.id[:80]!r}: {problem}",
            hint="the import itself stands; without --rubric it is written with what there is",
        )


def _grouped(run: ImportedRun) -> dict[str, tuple[ImportedRecord, ...]]:
    """Each sample's answers by epoch. Ids are made unique with the group where they are not."""
    groups: dict[str, set[str]] = defaultdict(set)
    for record in run.records:
        groups[record.id].add(record.group)
    named: dict[str, list[ImportedRecord]] = {}
    for record in run.records:
        is_shared = len(groups[record.id]) > 1
        named.setdefault(f"{record.group}/{record.id}" if is_shared else record.id, []).append(record)
    return {name: tuple(sorted(held, key=lambda r: r.epoch)) for name, held in named.items()}


def _uniform_epochs(grouped: Mapping[str, Sequence[ImportedRecord]]) -> int:
    counts = {len(held) for held in grouped.values()}
    if len(counts) != 1:
        raise CheckFailed(
            f"no label can be made: samples were answered {min(counts)} to {max(counts)} times",
            hint="a plan asks every sample equally often",
        )
    for name, held in grouped.items():
        if any(record.messages != held[0].messages for record in held):
            raise CheckFailed(f"no label can be made: sample {name[:80]!r} was asked in different words")
    return counts.pop()


def _shared_system_prompt(run: ImportedRun) -> str | None:
    """The system turn with which every record begins, where it is one and the same."""
    first = {record.messages[0] for record in run.records}
    if len(first) == 1:
        role, text = first.pop()
        if role == "system":
            return text
    return run.system_prompt


# -- a suite made from the records -------------------------------------------------------------------------------


def make_suite(run: ImportedRun, folder: Path) -> Answers:
    """Write a suite of the run's questions into a folder, load it again, and give it with its answers.

    Raises CheckFailed for records that no suite can hold.
    """
    require_answers(run)
    grouped = _grouped(run)
    epochs = _uniform_epochs(grouped)
    shared = _shared_system_prompt(run)
    rows = [_row(name, held[0], shared) for name, held in grouped.items()]
    several = len({record.group for record in run.records}) > 1
    data = b"".join(jcs(_selected(row, rows, several)) + b"\n" for row in rows)
    folder.mkdir(parents=True)
    (folder / DATA_FILE).write_bytes(data)
    (folder / SUITE_FILE).write_bytes(_suite_file(run, rows, sha256_hex(data), several))
    return Answers(load_suite(folder), grouped, epochs, shared)


def _row(name: str, record: ImportedRecord, shared: str | None) -> dict[str, Any]:
    turns = list(record.messages)
    system = turns.pop(0)[1] if turns[0][0] == "system" else ""
    if len(turns) != 1 or turns[0][0] != "user" or not turns[0][1].strip():
        raise CheckFailed(
            f"no label can be made: sample {name[:80]!r} is a conversation of {len(turns)} turns, "
            "and a suite's sample is one question"
        )
    return {
        "id": name,
        "prompt": turns[0][1],
        "system": "" if system == shared else system,
        "target": list(record.target),
        "group": record.group,
    }


def _columns(rows: Sequence[Mapping[str, Any]], several: bool) -> list[str]:
    """The columns that every row fills."""
    wanted = [key for key in ("system", "target") if all(row[key] and all(row[key]) for row in rows)]
    return ["id", "prompt", *wanted, *(["group"] if several else [])]


def _selected(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], several: bool) -> dict[str, Any]:
    return {key: row[key] for key in _columns(rows, several)}


def _suite_file(run: ImportedRun, rows: Sequence[Mapping[str, Any]], sha256: str, several: bool) -> bytes:
    columns = _columns(rows, several)
    quoted = json.dumps  # a JSON string is a YAML string
    by_target = "target" in columns
    lines = [
        "verilabel: suite/v1",
        f"id: {quoted('imported/' + slug_of(run))}",
        f"version: {VERSION}",
        f"title: {quoted('Questions of ' + slug_of(run) + ', imported from ' + run.tool)}",
        "license: UNKNOWN",
        "language: en",
        f"source: {{citation: {quoted('Made from the records of a log of ' + run.tool)}}}",
        f"data: {{file: {DATA_FILE}, format: jsonl, sha256: {quoted(sha256)}}}",
        "fields:",
        "  id: id",
        "  prompt: prompt",
        *(["  system: system"] if "system" in columns else []),
        *(["  target: {column: target, read: list}"] if by_target else []),
        *(["  tags: {group: group}"] if several else []),
        f"scorer: {'exact' if by_target else 'imported-' + run.tool}",
    ]
    return ("\n".join(lines) + "\n").encode()


# -- a suite that is there already -------------------------------------------------------------------------------


def match_suite(run: ImportedRun, suite: Suite) -> Answers:
    """Find each record's sample in a suite by its exact prompt.

    Raises CheckFailed where a record's prompt is not in the suite, or a sample of the suite has no record.
    """
    require_answers(run)
    shared = _shared_system_prompt(run)
    ids: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    for sample in suite.samples:
        ids[tuple((turn.role, turn.content) for turn in sample.messages)].append(sample.id)
    grouped = _grouped(run)
    found: dict[str, tuple[ImportedRecord, ...]] = {}
    strangers: list[str] = []
    for name, held in grouped.items():
        turns = held[0].messages
        asked = turns[1:] if turns[0] == ("system", shared) else turns
        candidates = ids.get(asked) or ids.get(turns) or []
        if candidates:
            found[candidates.pop(0)] = held
        else:
            strangers.append(name)
    if strangers:
        raise CheckFailed(
            f"{len(strangers):,} of {len(grouped):,} prompts are not of {suite.name} word for word, or stand twice: "
            f"the first is sample {strangers[0][:80]!r}",
            hint="without --suite the records make a suite of their own",
        )
    if len(found) != len(suite.samples):
        raise CheckFailed(
            f"partial: {len(found):,} of {len(suite.samples):,} samples of {suite.name} are in the log",
            hint="without --suite the records make a suite of their own",
        )
    return Answers(suite, found, _uniform_epochs(found), shared)
