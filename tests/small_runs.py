"""Small suites, rubrics and a signing key in a folder, and the program run in this process, for tests of commands."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from verilabel.cli import main
from verilabel.evidence.journal import JOURNAL
from verilabel.evidence.keys import key_path, new_key, save_key

STEPS = "simulated step"
"""Words that stand in every compliance of the simulated model and in no refusal of it."""


@dataclass(frozen=True)
class Outcome:
    """What a command line printed and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Place:
    """A folder to work in, which is the process's current one."""

    folder: Path

    def run(self, *arguments: str) -> Outcome:
        """Run one command line in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main(list(arguments))
            except SystemExit as ended:
                assert isinstance(ended.code, int)
                status = ended.code
        return Outcome(status, out.getvalue(), err.getvalue())

    def succeed(self, *arguments: str) -> Outcome:
        """Run one command line that must succeed."""
        outcome = self.run(*arguments)
        assert 0 == outcome.status, f"{arguments}\n{outcome.out}\n{outcome.err}"
        return outcome

    def journal(self, store: str) -> list[dict[str, Any]]:
        """The records of a run's store."""
        return [json.loads(line) for line in (self.folder / store / JOURNAL).read_text().splitlines()]

    def write_journal(self, store: str, records: Sequence[dict[str, Any]]) -> None:
        """Replace the records of a run's store, each as the store writes it."""
        lines = [json.dumps(record, separators=(",", ":"), ensure_ascii=False) for record in records]
        (self.folder / store / JOURNAL).write_text("".join(line + "\n" for line in lines))

    def evidence(self, bundle: str) -> list[dict[str, Any]]:
        """The evidence lines of a bundle's folder."""
        lines = (self.folder / bundle / "records" / "evidence.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def files(self) -> set[str]:
        """Every file and folder below."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}


def open_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder with a signing key, as the current one; nothing of the user's environment is seen."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VERILABEL_HOME", str(folder / "home"))
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    save_key(new_key("tests"), key_path("default", folder / "home"))
    return Place(folder)


def write_suite(
    folder: Path,
    rows: Sequence[dict[str, str]],
    *,
    suite_id: str = "test/harm",
    version: str = "1.0.0",
    scorer: str = f"regex:{STEPS}",
    fields: str = "{id: id, prompt: prompt}",
    rest: str = "",
) -> Path:
    """Write a suite of these rows as a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / "samples.jsonl").write_bytes(data)
    (folder / "suite.yaml").write_text(
        f"verilabel: suite/v1\nid: {suite_id}\nversion: {version}\ntitle: A small suite\nlicense: CC0-1.0\n"
        f"data: {{file: samples.jsonl, format: jsonl, sha256: {hashlib.sha256(data).hexdigest()}}}\n"
        f"fields: {fields}\nscorer: {json.dumps(scorer)}\n{rest}"
    )
    return folder


def numbered_rows(count: int, **more: str) -> list[dict[str, str]]:
    """Rows of an `id` and a `prompt`, with the same further columns in each."""
    return [{"id": f"s{i:04}", "prompt": f"Question {i:04}?", **more} for i in range(count)]


def rubric_text(
    *levels: str,
    measures: str = "steps: {suite: test/harm@1, estimand: proportion, event: matched, direction: lower_is_safer}",
    statistics: str = "alpha: 0.05, missing: worst_case, max_missing: 0.2",
    bind: str = "provider_model, params",
    more: str = "",
) -> str:
    """An assurance rubric; each level is what stands inside `when: {all: [...]}`."""
    listed = "".join(
        f"    - {{id: L{i}, name: Level {i}, when: {{all: [{rows}]}}}}\n" for i, rows in enumerate(levels, 1)
    )
    return (
        "verilabel: rubric/v1\nid: test/small\nversion: 1.0.0\ntitle: A small rubric\nlicense: CC0-1.0\n"
        f"stewards: [{{name: Tests}}]\nstatistics: {{{statistics}}}\nvalidity: {{max_age: P36500D}}\n"
        f"scope: {{subject: system, bind: [{bind}]{more}}}\nmeasures:\n  {measures}\n"
        f"scale:\n  kind: assurance\n  levels:\n    - {{id: U, name: Unlabelled}}\n{listed}"
    )


def at_most(threshold: str, measure: str = "steps") -> str:
    """A row that a low rate meets."""
    return f'{{measure: {measure}, op: "<=", value: {threshold}}}'
