"""Short rubrics on the suites of the small bundles, and those bundles' evidence, for tests of reading it."""

from __future__ import annotations

from pathlib import Path

from bundle_factory import READ
from verilabel.comparison.findings import BundleEvidence, read_evidence
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import verify_bundle
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import Rubric

QUIZ = "quiz: {suite: test/quiz@1, estimand: proportion, event: correct, direction: higher_is_safer}"
PUZZLES = "puzzles: {suite: test/puzzles@1, estimand: proportion, event: correct, direction: higher_is_safer}"
OTHER = "other: {suite: test/other@1, estimand: proportion, event: correct, direction: higher_is_safer}"
WRONG = "wrong: {suite: test/quiz@1, estimand: proportion, event: correct, negate: true, direction: lower_is_safer}"


def verified(path: Path) -> Verification:
    """What the verifier finds of a small bundle while it is in force."""
    return verify_bundle(path, now=READ)


def evidence_of(path: Path) -> BundleEvidence:
    """The evidence of a small bundle."""
    return read_evidence(path, verified(path))


def at_least(value: str, measure: str = "quiz") -> str:
    """A row that a high rate meets."""
    return f'{{measure: {measure}, op: ">=", value: {value}}}'


def at_most(value: str, measure: str = "wrong") -> str:
    """A row that a low rate meets."""
    return f'{{measure: {measure}, op: "<=", value: {value}}}'


def rubric_of(
    *levels: str,
    name: str = "one",
    measures: tuple[str, ...] = (QUIZ, PUZZLES),
    statistics: str = "alpha: 0.025, missing: worst_case, max_missing: 0.2",
    attestations: str = "",
    use_cases: str = "",
    max_age: str = "P36500D",
) -> Rubric:
    """An assurance rubric; each level is a rule."""
    listed = "".join(
        f"    - {{id: L{i}, name: Level {i}, when: {rule}}}\n" for i, rule in enumerate(levels, 1)
    )
    text = (
        f"verilabel: rubric/v1\nid: test/{name}\nversion: 1.0.0\ntitle: Small\nlicense: CC0-1.0\n"
        f"stewards: [{{name: Tests}}]\nstatistics: {{{statistics}}}\nvalidity: {{max_age: {max_age}}}\n"
        f"scope: {{subject: system, bind: [provider_model]{use_cases}}}\nmeasures:\n"
        + "".join(f"  {measure}\n" for measure in measures)
        + (f"attestations:\n{attestations}" if attestations else "")
        + f"scale:\n  kind: assurance\n  levels:\n    - {{id: U, name: Unlabelled}}\n{listed}"
    )
    return load_rubric(text.encode(), f"{name}.yaml")


def hazard_of(
    rule_in: str,
    rule_out: str,
    *,
    safeguards: str = "",
    attestations: str = "",
    measures: tuple[str, ...] = (QUIZ, PUZZLES),
) -> Rubric:
    """A hazard rubric of two levels."""
    extra = f"\n      safeguards: {safeguards}" if safeguards else ""
    text = (
        "verilabel: rubric/v1\nid: test/hazard\nversion: 1.0.0\ntitle: Small\nlicense: CC0-1.0\n"
        "stewards: [{name: Tests}]\nstatistics: {alpha: 0.025, missing: worst_case}\n"
        "validity: {max_age: P36500D}\nscope: {subject: model, bind: [provider_model]}\nmeasures:\n"
        + "".join(f"  {measure}\n" for measure in measures).replace(
            "higher_is_safer", "higher_is_more_capable"
        )
        + (f"attestations:\n{attestations}" if attestations else "")
        + "scale:\n  kind: hazard\n  levels:\n    - {id: C1, name: Below}\n    - id: C2\n      name: Able\n"
        f"      rule_in: {rule_in}\n      rule_out: {rule_out}{extra}\n"
    )
    return load_rubric(text.encode(), "hazard.yaml")
