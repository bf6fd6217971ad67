"""The second implementation (JavaScript) decides every conformance vector alike, and its check can fail."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CONFORMANCE = ROOT / "conformance"
SCHEMA = Path("src/verilabel/rubric/data/rubric.schema.json")
NODE = shutil.which("node")
TIME_LIMIT_S = 120

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not on PATH")

RUBRIC = """\
verilabel: rubric/v1
id: test/second
version: 1.0.0
title: Second
license: CC0-1.0
stewards: [{name: Verilabel}]
validity: {max_age: P30D}
scope: {subject: model, bind: [weights]}
statistics: {alpha: 0.025, missing: worst_case, max_missing: 0.2}
measures:
  m: {suite: s@1, estimand: proportion, event: violation, direction: lower_is_safer}
scale:
  kind: assurance
  levels: [{id: L0, name: Low}, {id: L1, name: High, when: {measure: m, op: "<=", value: 0.05}}]
"""
COUNTS = [(0, 1), (1, 1), (0, 5000), (3, 40), (20, 40), (39, 40), (7, 977), (450, 500), (1234, 100_000)]


def run_script(script: Path, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """The script's exit status and output."""
    command = [str(NODE), str(script), *arguments]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
    )


def decide_all(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The second implementation's answer to each case."""
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    finished = run_script(CONFORMANCE / "second/decide.mjs", text=lines)
    assert (0, "") == (finished.returncode, finished.stderr)
    return [json.loads(line) for line in finished.stdout.splitlines()]


def decide_rows(counts: list[tuple[int, int]], design: str) -> list[dict[str, Any]]:
    """The one row of each label for counts (events, n)."""
    tallies = [{"measure": "m", "n": n, "events": events, "exact": True} for events, n in counts]
    cases = [{"rubric": RUBRIC, "design": design, "tallies": {"m": tally}} for tally in tallies]
    rows: list[dict[str, Any]] = [answer["label"]["levels"][0]["rows"][0] for answer in decide_all(cases)]
    return rows


def copy_of_the_check(folder: Path) -> Path:
    """A copy of the second implementation with one file of vectors; returns the folder of the vectors."""
    (folder / SCHEMA).parent.mkdir(parents=True)
    shutil.copy(ROOT / SCHEMA, folder / SCHEMA)
    shutil.copytree(CONFORMANCE / "second", folder / "conformance/second")
    shutil.copy(CONFORMANCE / "rows.json", folder / "conformance/rows.json")
    return folder / "conformance"


def test_two_implementations_agree_on_every_vector() -> None:
    finished = run_script(CONFORMANCE / "second/check.mjs")
    total = sum(len(json.loads(path.read_text())["cases"]) for path in CONFORMANCE.glob("*.json"))
    assert 0 == finished.returncode, finished.stdout + finished.stderr
    assert f"{total} of {total} vectors agree" in finished.stdout


def test_the_vectors_hold_when_every_binomial_comparison_is_made_over_integers() -> None:
    finished = run_script(CONFORMANCE / "second/check.mjs", "--exact")
    assert 0 == finished.returncode, finished.stdout + finished.stderr


def test_a_vector_with_one_changed_digit_is_named_with_its_field(tmp_path: Path) -> None:
    vectors = copy_of_the_check(tmp_path)
    rows = vectors / "rows.json"
    rows.write_text(rows.read_text().replace('"0.049945"', '"0.049944"', 1))
    finished = run_script(vectors / "second/check.mjs")
    assert 1 == finished.returncode
    assert 'upper: the vector says "0.049944", this gives "0.049945"' in finished.stdout


def test_a_vector_with_another_digest_is_a_disagreement(tmp_path: Path) -> None:
    vectors = copy_of_the_check(tmp_path)
    document = json.loads((vectors / "rows.json").read_text())
    document["cases"][0]["label_sha256"] = "sha256:" + "0" * 64
    (vectors / "rows.json").write_text(json.dumps(document))
    finished = run_script(vectors / "second/check.mjs")
    assert 1 == finished.returncode
    assert "the digests differ" in finished.stdout


def test_no_vectors_are_no_agreement(tmp_path: Path) -> None:
    vectors = copy_of_the_check(tmp_path)
    (vectors / "rows.json").unlink()
    assert 1 == run_script(vectors / "second/check.mjs").returncode


def test_an_impossible_count_is_refused_with_its_place() -> None:
    tally = {"measure": "m", "n": 3, "events": 4}
    (answer,) = decide_all([{"rubric": RUBRIC, "design": "fixed", "tallies": {"m": tally}}])
    assert "tallies.m" == answer["where"]


def test_bounds_are_clopper_pearson_rounded_outward() -> None:
    stats = pytest.importorskip("scipy.stats")
    for (events, n), row in zip(COUNTS, decide_rows(COUNTS, "fixed"), strict=True):
        lower = stats.beta.ppf(0.025, events, n - events + 1) if events else 0.0
        upper = stats.beta.ppf(0.975, events + 1, n - events) if events < n else 1.0
        # A bound that is a whole number of millionths may come out of SciPy a little off on either side.
        assert 0 <= lower - float(row["lower"]) + 1e-9 < 1.000002e-6 + 1e-9
        assert 0 <= float(row["upper"]) - upper + 1e-9 < 1.000002e-6 + 1e-9


@pytest.mark.parametrize("side", ["met", "not_met"])
def test_e_values_are_those_of_the_formula(side: str) -> None:
    """statistics.md 1.1 taken literally, over exact fractions."""
    tau = Fraction(1, 20)
    ratios = {"met": ("0.02", "0.2", "0.5"), "not_met": ("1.7", "4", "20")}[side]
    counts = [(0, 85), (3, 40), (20, 40), (7, 977)]
    for (events, n), row in zip(counts, decide_rows(counts, "anytime"), strict=True):
        e = Fraction(0)
        for weight, ratio in zip(("0.4", "0.3", "0.3"), ratios, strict=True):
            odds = tau / (1 - tau) * Fraction(ratio)
            bet = odds / (1 + odds)
            e += Fraction(weight) * (bet / tau) ** events * ((1 - bet) / (1 - tau)) ** (n - events)
        logarithm = math.log(e.numerator) - math.log(e.denominator)
        assert f"{math.floor(logarithm * 1e6) / 1e6:.6f}" == row[f"log_e_{side}"]
