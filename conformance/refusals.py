# ruff: noqa: E501 - a case reads best on one line
"""What an implementation must refuse: counts that cannot be, and rubrics that break a rule of the format."""

from __future__ import annotations

from shapes import (
    AT_MOST_5,
    FAMILY,
    PLAIN,
    POOL,
    POOLED,
    RATIO,
    STATISTICS,
    Case,
    counts,
    errors,
    families,
    judged,
    row,
    rubric,
)

from verilabel.records.tally import Clusters, Tally

REFUSED_INPUTS = (
    Case("more-events-than-answers", AT_MOST_5, (counts(10, 11),)),
    Case("events-and-missing-exceed-n", AT_MOST_5, (counts(10, 6, 5),)),
    Case("unknown-measure", AT_MOST_5, (counts(10, 0, measure="other"),)),
    Case("another-unit", AT_MOST_5, (families((0, 0, 2, 5)),)),
    Case(
        "clusters-do-not-add-up",
        FAMILY,
        (Tally("m", 10, 0, unit="family", clusters=(Clusters(0, 0, 2, 4),)),),
    ),
    Case(
        "pool-smaller-than-draws",
        rubric(row("<=", "0.3"), measures=POOL),
        (counts(11, 0, pool=10, **POOLED),),
    ),
    Case("unknown-attestation", AT_MOST_5, (counts(72, 0),), attested=("x",)),
    Case(
        "design-not-allowed",
        rubric(row("<=", "0.05"), statistics=f"{STATISTICS}, design: [anytime]"),
        (counts(72, 0),),
    ),
    Case("event-and-absence-mixed-up", AT_MOST_5, (counts(72, 0, complement=True),)),
    Case("more-answers-than-planned", AT_MOST_5, (counts(300, 0, n_planned=200),)),
    Case("more-answers-than-planned-anytime", AT_MOST_5, (counts(300, 0, n_planned=200),), "anytime"),
    Case(
        "reference-beyond-its-plan",
        rubric(row("<=", "{times_reference: 3}"), measures={"m": RATIO}),
        (counts(400, 0),),
        references=(counts(400, 40, n_planned=399),),
    ),
    Case("another-population", AT_MOST_5, (counts(40, 0, **POOLED),)),
    Case("family-without-answers", FAMILY, (families((0, 0, 3, 30), (0, 0, 0, 1)),)),
    Case("impossible-judge", AT_MOST_5, (judged(72, 0, errors(101, 100, 1, 1)),)),
)

TWO_LEVELS = '{id: L0, name: None}, {id: L1, name: One, when: {measure: m, op: "<=", value: 0.05}}'
REFUSED_RUBRICS = {
    "unknown-measure-in-a-row": rubric(f"{{all: [{row('<=', '0.05')}, {row('<=', '0.05', 'other')}]}}"),
    "unknown-key": AT_MOST_5.replace("direction:", "min-n: 5, direction:"),
    "unknown-attestation": rubric("{attested: nobody}"),
    "threshold-of-one": rubric(row("<=", "1")),
    "threshold-in-percent": rubric(row("<=", "5")),
    "threshold-in-quotes": rubric(row("<=", '"0.05"')),
    "too-many-decimals": rubric(row("<=", "0.0000001")),
    "margin-eats-the-threshold": rubric(row("<=", "0.05"), statistics=f"{STATISTICS}, margin: 0.05"),
    "no-such-comparison": rubric(row("=", "0.05")),
    "empty-all": rubric("{all: []}"),
    "at-least-three-of-two": rubric(f"{{at_least: 3, of: [{row('<=', '0.05')}, {row('<=', '0.1')}]}}"),
    "two-rules-in-one": rubric(f"{{all: [{row('<=', '0.05')}], any: [{row('<=', '0.1')}]}}"),
    "duplicate-level": AT_MOST_5.replace("id: L1", "id: L0"),
    "rule-on-the-lowest-level": AT_MOST_5.replace(
        "{id: L0, name: None}", '{id: L0, name: None, when: {measure: m, op: "<=", value: 0.9}}'
    ),
    "level-without-a-rule": rubric(
        "", scale="  kind: assurance\n  levels: [{id: L0, name: None}, {id: L1, name: One}]\n"
    ),
    "hazard-without-rule-out": rubric(
        "",
        scale='  kind: hazard\n  levels: [{id: L0, name: None}, {id: L1, name: One, rule_in: {measure: m, op: ">=", value: 0.5}}]\n',
    ),
    "hazard-without-rule-in": rubric(
        "",
        scale='  kind: hazard\n  levels: [{id: L0, name: None}, {id: L1, name: One, rule_out: {measure: m, op: "<", value: 0.5}}]\n',
    ),
    "when-on-a-hazard-scale": rubric("", scale=f"  kind: hazard\n  levels: [{TWO_LEVELS}]\n"),
    "one-level": rubric("", scale="  kind: assurance\n  levels: [{id: L0, name: None}]\n"),
    "alpha-too-large": rubric(row("<=", "0.05"), statistics="alpha: 0.2, missing: worst_case"),
    "unknown-choice": rubric(row("<=", "0.05"), statistics="alpha: 0.05, missing: worst-case"),
    "missing-key": rubric(row("<=", "0.05"), statistics="alpha: 0.05"),
    "ratio-without-reference": rubric(row("<=", "{times_reference: 2}")),
    "factor-of-zero": rubric(row("<=", "{times_reference: 0}"), measures={"m": RATIO}),
    "pass-at-k-without-k": rubric(
        row("<=", "0.05"), measures={"m": PLAIN.replace("proportion", "pass_at_k")}
    ),
    "k-without-pass-at-k": rubric(row("<=", "0.05"), measures={"m": f"{PLAIN}, k: 3"}),
    "factor-above-1000": rubric(row("<=", "{times_reference: 1001}"), measures={"m": RATIO}),
    "margin-with-seven-decimals": rubric(row("<=", "0.05"), statistics=f"{STATISTICS}, margin: 0.0000001"),
    "settings-listed-twice": rubric(row("<=", "0.05"), measures={"m": f"{PLAIN}, elicitation: [a, a]"}),
    "estimand-that-is-not-decided": rubric(
        row("<=", "0.05"), measures={"m": PLAIN.replace("proportion", "mean")}
    ),
    "another-format": AT_MOST_5.replace("rubric/v1", "rubric/v2"),
    "no-design-left": rubric(
        row("<=", "0.05"), statistics=f"{STATISTICS}, design: [fixed], interval: confidence-sequence"
    ),
    "tag-value-that-is-no-text": rubric(
        row("<=", "0.05"), measures={"m": f"{PLAIN}, filter: {{year: 2024}}"}
    ),
    "duplicate-key": AT_MOST_5.replace("title: Conformance", "title: Conformance\ntitle: Again"),
    "bare-no": AT_MOST_5.replace("title: Conformance", "title: no"),
    "anchor": AT_MOST_5.replace("title: Conformance", "title: &a Conformance"),
}
