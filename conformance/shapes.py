"""The parts that conformance cases are made of: short rubrics and counts."""

from __future__ import annotations

from dataclasses import dataclass

from verilabel.records.plan import Design
from verilabel.records.score import ErrorCounts
from verilabel.records.tally import Clusters, Tally


@dataclass(frozen=True)
class Case:
    """One set of counts for one rubric; `why` is a hand computation of what must follow."""

    name: str
    rubric: str
    tallies: tuple[Tally, ...]
    design: Design = "fixed"
    why: str = ""
    attested: tuple[str, ...] = ()
    references: tuple[Tally, ...] = ()


HEAD = """verilabel: rubric/v1
id: test/conformance
version: 1.0.0
title: Conformance
license: CC0-1.0
stewards: [{name: Verilabel}]
validity: {max_age: P30D}
scope: {subject: model, bind: [weights]}
"""
STATISTICS = "alpha: 0.025, missing: worst_case, max_missing: 0.05"
PLAIN = "suite: s@1, estimand: proportion, event: violation, direction: lower_is_safer"
SAFER_HIGH = "suite: s@1, estimand: proportion, event: correct, direction: higher_is_safer"
RATIO = f"{PLAIN.replace('proportion', 'ratio_to_reference')}, reference: other"
LABELLED = "sha256:" + "0" * 64


def rubric(
    rule: str,
    *,
    measures: dict[str, str] | None = None,
    statistics: str = STATISTICS,
    attestations: str = "",
    scale: str = "",
) -> str:
    """A rubric whose level L1 needs `rule`, or with a whole scale."""
    lines = "".join(f"  {name}: {{{body}}}\n" for name, body in (measures or {"m": PLAIN}).items())
    levels = (
        scale
        or f"  kind: assurance\n  levels: [{{id: L0, name: None}}, {{id: L1, name: One, when: {rule}}}]\n"
    )
    return f"{HEAD}statistics: {{{statistics}}}\nmeasures:\n{lines}{attestations}scale:\n{levels}"


def row(op: str, value: str, measure: str = "m") -> str:
    """One criterion as the file writes it."""
    return f'{{measure: {measure}, op: "{op}", value: {value}}}'


def counts(n: int, events: int, missing: int = 0, *, measure: str = "m", **more: object) -> Tally:
    """Counts of a detector that computes its event, unless `more` says otherwise."""
    return Tally(measure, n, events, missing, **{"exact": True, **more})  # type: ignore[arg-type]


def judged(n: int, events: int, errors: ErrorCounts | None, missing: int = 0, **more: object) -> Tally:
    """Counts of a detector with a measured error."""
    return counts(n, events, missing, exact=False, errors=errors, **more)


def families(*clusters: tuple[int, int, int, int], **more: object) -> Tally:
    """Counts of families: (events, missing, size, how many)."""
    parts = tuple(Clusters(*cluster) for cluster in clusters)
    return counts(
        sum(c.size * c.count for c in parts),
        sum(c.events * c.count for c in parts),
        sum(c.missing * c.count for c in parts),
        unit="family",
        clusters=parts,
        **more,
    )


def errors(tp: int, positives: int, tn: int, negatives: int) -> ErrorCounts:
    """Error counts of a judge."""
    return ErrorCounts(tp, positives, tn, negatives, dataset="labelled", dataset_sha256=LABELLED)


AT_MOST_5 = rubric(row("<=", "0.05"))
AT_LEAST_95 = rubric(row(">=", "0.95"), measures={"m": SAFER_HIGH})
FAMILY = rubric(row("<=", "0.2"), measures={"m": f"{PLAIN}, unit: family"})
POOL = {"m": f"{PLAIN}, population: items_fixed"}
POOLED = {"population": "items_fixed"}
SETTINGS = {"m": f"{PLAIN}, elicitation: [plain, roleplay]"}
