"""The second implementation reads every bundled rubric, safeguards among them, and gives the same labels by it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from shapes import counts, families

from verilabel.records.canonical import digest
from verilabel.records.plan import Design
from verilabel.records.tally import Tally
from verilabel.rubric.decide import decide
from verilabel.rubric.model import BUNDLED, load_rubric
from verilabel.rubric.structure import Rubric

NODE = shutil.which("node")
CHECK = Path(__file__).resolve().parents[2] / "conformance" / "second" / "check.mjs"
RATES = (2, 50, 97)
"""Events among 100 answers."""


def tallies_of(rubric: Rubric, events: int) -> dict[str, Tally]:
    """The same rate for every measure of a rubric, on 400 answers."""
    tallies = {}
    for name, measure in rubric.measures.items():
        made = (
            families((1, 0, 1, 4 * events), (0, 0, 1, 400 - 4 * events), measure=name)
            if measure.unit == "family"
            else counts(400, 4 * events, measure=name)
        )
        tallies[name] = msgspec.structs.replace(
            made, unit=measure.unit, population=measure.population, complement=measure.negate
        )
    return tallies


def case_of(path: Path, events: int, design: Design) -> dict[str, Any]:
    """One vector: counts, the first two attestations given, and the label."""
    rubric = load_rubric(path.read_bytes(), path.name)
    tallies = tallies_of(rubric, events)
    references = {name: tallies[name] for name, measure in rubric.measures.items() if measure.reference}
    attested = list(rubric.attestations)[:2]
    label = decide(rubric, tallies, design=design, attested=attested, references=references)
    return {
        "name": f"{path.stem} {events} {design}",
        "rubric": path.read_text("utf-8"),
        "design": design,
        "tallies": msgspec.to_builtins(tallies),
        "references": msgspec.to_builtins(references),
        "attested": attested,
        "label": label.document(),
        "label_sha256": digest(label.bytes()),
    }


@pytest.mark.skipif(NODE is None, reason="node is not on PATH")
def test_the_second_implementation_gives_the_same_labels_by_every_bundled_rubric(tmp_path: Path) -> None:
    designs: tuple[Design, ...] = ("fixed", "anytime")
    cases = [
        case_of(path, events, designs[index % 2])
        for index, path in enumerate(sorted(BUNDLED.glob("*.yaml")))
        for events in RATES
    ]
    file = tmp_path / "bundled.json"
    file.write_text(json.dumps({"format": "verilabel/conformance/v1", "cases": cases}), "utf-8")
    done = subprocess.run(
        [str(NODE), str(CHECK), str(file)], capture_output=True, text=True, timeout=120, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert f"{len(cases)} of {len(cases)} vectors agree" in done.stdout
