"""What the benchmarks work on: suites of prompts of one length, a rubric on them, and bundles made from them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from benchmarks.processes import clean_environment, first_cpu, run_command
from benchmarks.settings import Settings, program

RUBRIC = """\
verilabel: rubric/v1
id: bench/answers
version: 1.0.0
title: Answers that match
license: CC0-1.0
stewards: [{name: Benchmarks}]
statistics: {alpha: 0.025, missing: worst_case, max_missing: 0.2}
validity: {max_age: P180D}
scope: {subject: system, bind: [provider_model, params]}
measures:
  matched: {suite: bench/questions@1, estimand: proportion, event: matched, direction: higher_is_safer}
scale:
  kind: assurance
  levels:
    - {id: U, name: Unlabelled}
    - {id: L1, name: Basic, when: {all: [{measure: matched, op: ">=", value: 0.5}]}}
"""
SUITE = """\
verilabel: suite/v1
id: bench/questions
version: 1.0.0
title: Questions for measuring speed
license: CC0-1.0
data: {{file: samples.jsonl, format: jsonl, sha256: {sha256}}}
fields: {{id: id, prompt: prompt}}
scorer: 'regex:{pattern}'
"""
SENTENCE = "Read the question with care, think of what is asked and answer in one short sentence. "


def prompt_of(number: int, size: int) -> str:
    """A prompt of exactly `size` bytes that no other number has."""
    head = f"Question {number:06}: what is {number} plus {number % 97}? "
    return (head + SENTENCE * (size // len(SENTENCE) + 1))[:size]


def write_suite(folder: Path, samples: int, *, prompt_bytes: int, pattern: str) -> Path:
    """Write the suite `bench/questions` and its rubric into a folder; gives the suite's folder."""
    suite = folder / "suite"
    suite.mkdir(parents=True)
    rows = ({"id": f"q{i:06}", "prompt": prompt_of(i, prompt_bytes)} for i in range(samples))
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (suite / "samples.jsonl").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    (suite / "suite.yaml").write_text(SUITE.format(sha256=sha256, pattern=pattern))
    (folder / "rubric.yaml").write_text(RUBRIC)
    return suite


def make_key(settings: Settings) -> None:
    """A signing key in the measured commands' home, once."""
    home = Path(clean_environment(settings.folder)["VERILABEL_HOME"])
    if not home.exists() or not any(home.rglob("default*")):
        run_command([program(), "keys", "new"], settings, cpu=first_cpu())


def make_bundle(settings: Settings, folder: Path, samples: int, *, prompt_bytes: int) -> Path:
    """A signed and logged bundle of simulated answers, made by `verilabel label`; gives its folder."""
    make_key(settings)
    suite = write_suite(folder, samples, prompt_bytes=prompt_bytes, pattern="simulated")
    bundle = folder / "made.bundle"
    chosen = ("--model", "simulated:seed=1", "--suite", str(suite), "--rubric", str(folder / "rubric.yaml"))
    how = ("--design", "fixed", "--seed", "bench", "--connections", "100", "--quiet", "--out", str(bundle))
    run_command([program(), "label", *chosen, *how], settings, cpu=-1)
    return bundle
