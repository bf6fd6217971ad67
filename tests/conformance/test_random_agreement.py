"""Rubrics and counts drawn at random: both implementations give the same bytes, or both refuse."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest
from generate import inputs_of
from shapes import PLAIN, STATISTICS, Case, counts, errors, families, row, rubric

from verilabel.errors import VerilabelError
from verilabel.records.canonical import digest
from verilabel.records.plan import Design
from verilabel.records.score import ErrorCounts
from verilabel.records.tally import Tally
from verilabel.rubric.decide import decide
from verilabel.rubric.model import load_rubric

NODE = shutil.which("node")
SECOND = Path(__file__).resolve().parents[2] / "conformance/second/decide.mjs"
CASES_A_SEED = 100
TIME_LIMIT_S = 120

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not on PATH")

ATTESTATIONS = "attestations: {x: {statement: It was looked at., role: expert}}\n"
DIRECTIONS = ("lower_is_safer", "higher_is_safer", "higher_is_more_capable")
RULES_OF = {"assurance": "when: {}", "hazard": "rule_in: {}, rule_out: {}"}


class Shape(NamedTuple):
    """What a measure's counts must look like."""

    unit: str
    population: str
    is_negated: bool
    settings: tuple[str, ...]


class Drawing:
    """Draws rubrics, counts and references; the edges of every rule come up often."""

    def __init__(self, seed: int) -> None:
        self.source = Random(seed)

    def chance(self, probability: float) -> bool:
        return self.source.random() < probability

    def one_of(self, *values: Any) -> Any:
        return self.source.choice(values)

    def measure(self) -> tuple[str, Shape]:
        shape = Shape(
            self.one_of("item", "item", "item", "family", "trial"),
            self.one_of("items_sampled", "items_fixed"),
            self.chance(0.1),
            self.one_of((), (), (), ("p",), ("p", "q")),
        )
        text = PLAIN.replace("lower_is_safer", self.one_of(*DIRECTIONS))
        if self.chance(0.4):
            text = text.replace("proportion", "ratio_to_reference") + ", reference: other"
        text += f", unit: {shape.unit}, population: {shape.population}, min_n: {self.one_of(1, 1, 1, 5, 100)}"
        text += ", negate: true" if shape.is_negated else ""
        return text + f", elicitation: [{', '.join(shape.settings)}]", shape

    def errors(self) -> ErrorCounts | None:
        positives, negatives = self.one_of(0, 1, 20, 100, 1000), self.one_of(0, 1, 40, 99, 300)
        found = self.one_of(0, positives, positives * 9 // 10)
        return self.one_of(
            None, errors(found, positives, self.one_of(0, negatives, negatives // 2), negatives)
        )

    def tally(self, key: str, shape: Shape) -> Tally:
        more: dict[str, Any] = {"population": shape.population, "complement": shape.is_negated}
        if self.chance(0.5):
            more.update(exact=False, errors=self.errors())
        if shape.unit == "family":
            tally = self.families(key, more)
        else:
            n = self.one_of(0, 1, 2, 17, 40, 72, 100, self.source.randint(1, 300))
            events = self.one_of(0, 0, n, n // 20, self.source.randint(0, n))
            missing = self.one_of(0, 0, 0, min(1, n - events), (n - events) // 30)
            tally = counts(n, events, missing, measure=key, unit=shape.unit, **more)
        planned = self.one_of(*[0] * 9, *[tally.n] * 9, tally.n + 3, max(0, tally.n - 1))
        pool = self.one_of(None, None, tally.n, tally.n + 1, tally.n + 30)
        return msgspec.structs.replace(tally, n_planned=planned, pool=pool)

    def families(self, key: str, more: dict[str, Any]) -> Tally:
        clusters = set()
        for _ in range(self.source.randint(1, 3)):
            size = self.one_of(1, 1, 3, 4)
            events = self.source.randint(0, size)
            clusters.add((events, self.one_of(0, 0, self.source.randint(0, size - events)), size))
        return families(*((*c, self.one_of(1, 5, 30, 60)) for c in sorted(clusters)), measure=key, **more)

    def rule(self, measures: dict[str, str], depth: int) -> str:
        word = self.one_of("row", "row", "all", "any", "at_least") if depth else "row"
        if word == "row":
            return self.row(measures)
        children = [self.rule(measures, depth - 1) for _ in range(self.source.randint(1, 3))]
        inside = ", ".join(children)
        if word == "at_least":
            return f"{{at_least: {self.source.randint(1, len(children))}, of: [{inside}]}}"
        return f"{{{word}: [{inside}]}}"

    def row(self, measures: dict[str, str]) -> str:
        if self.chance(0.1):
            return "{attested: x}"
        name = self.one_of(*measures)
        value = self.one_of("0.05", "0.2", "0.010", "0.5", "1e-1", "0.95", "0.000002", "0.33")
        if "reference: other" in measures[name] and self.chance(0.7):
            value = f"{{times_reference: {self.one_of('0.5', '1', '3.0', '1.5', '2e0')}}}"
        return row(self.one_of("<=", "<", ">=", ">"), value, name)

    def rubric(self, measures: dict[str, str]) -> str:
        statistics = STATISTICS.replace("0.025", self.one_of("0.025", "0.05", "0.01", "0.1"))
        statistics += self.one_of("", "", ", margin: 0.000001")
        statistics += self.one_of("", ", judge: {adjust: none}", ", judge: {min_calibration_n: 350}")
        kind = self.one_of("assurance", "hazard")
        lines = [f"  kind: {kind}\n  levels:\n    - {{id: L0, name: none}}\n"]
        for level in range(1, self.source.randint(2, 4)):
            rules = [self.rule(measures, 2) for _ in range(RULES_OF[kind].count("{}"))]
            lines.append(f"    - {{id: L{level}, name: some, {RULES_OF[kind].format(*rules)}}}\n")
        return rubric(
            "", measures=measures, statistics=statistics, scale="".join(lines), attestations=ATTESTATIONS
        )

    def tallies(self, shapes: dict[str, Shape]) -> tuple[Tally, ...]:
        keys = []
        for name, shape in shapes.items():
            usual = [f"{name}@{setting}" for setting in shape.settings] or [name]
            unusual = [name, f"{name}@z"] if self.chance(0.1) else []
            keys += [(key, shape) for key in dict.fromkeys(usual + unusual) if self.chance(0.9)]
        return tuple(self.tally(key, shape) for key, shape in keys)

    def case(self, name: str) -> Case:
        drawn = {measure: self.measure() for measure in self.source.sample("abc", self.source.randint(1, 2))}
        shapes = {measure: shape for measure, (_, shape) in drawn.items()}
        design: Design = self.one_of("fixed", "anytime")
        return Case(
            name,
            self.rubric({measure: text for measure, (text, _) in drawn.items()}),
            self.tallies(shapes),
            design,
            attested=("x",) if self.chance(0.5) else (),
            references=self.tallies(shapes) if self.chance(0.8) else (),
        )


def digest_here(case: Case) -> str:
    """The digest of the label's canonical bytes, or `refused`."""
    try:
        label = decide(
            load_rubric(case.rubric.encode(), "rubric"),
            {tally.measure: tally for tally in case.tallies},
            design=case.design,
            attested=case.attested,
            references={tally.measure: tally for tally in case.references},
        )
    except VerilabelError:
        return "refused"
    return digest(label.bytes())


def digests_there(cases: list[Case]) -> list[str]:
    """What the second implementation gives for each case."""
    lines = "".join(json.dumps(inputs_of(case)) + "\n" for case in cases)
    finished = subprocess.run(
        [str(NODE), str(SECOND)],
        input=lines,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert (0, "") == (finished.returncode, finished.stderr)
    answers = [json.loads(line) for line in finished.stdout.splitlines()]
    return ["refused" if "refused" in answer else answer["label_sha256"] for answer in answers]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_implementations_give_the_same_bytes_for_what_nobody_chose(seed: int) -> None:
    drawing = Drawing(seed)
    cases = [drawing.case(f"{seed}-{index}") for index in range(CASES_A_SEED)]
    expected = [digest_here(case) for case in cases]
    assert expected == digests_there(cases)
    assert expected.count("refused") < CASES_A_SEED / 2  # most cases are decided, or little was compared
