"""What the packs miss and what they take wrongly on public texts: the numbers of docs/spans.md, counted again."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from verilabel.detectors.spans.packs import open_pack
from verilabel.detectors.spans.ruleset import RuleSet

TYPES = {
    "ADDRESS": "ADDRESS",
    "CREDIT_CARD": "CARD",
    "EMAIL_ADDRESS": "EMAIL",
    "IP_ADDRESS": "IP_ADDRESS",
    "PHONE_NUMBER": "PHONE",
    "US_DRIVER_LICENSE": "DRIVER_LICENCE",
    "US_SSN": "SSN",
}


def count_personal_data(folder: Path) -> tuple[Counter[str], Counter[str], int]:
    """Of each type the spans that there are and those wholly covered, and matches that touch no span."""
    rules = RuleSet(open_pack("pii"))
    samples = json.loads((folder / "presidio_research/tests/data/generated_small.json").read_text("utf-8"))
    there: Counter[str] = Counter()
    covered: Counter[str] = Counter()
    false = 0
    for sample in samples:
        matches = rules.find(sample["full_text"])
        spans = [(s["entity_type"], s["start_position"], s["end_position"]) for s in sample["spans"]]
        for kind, start, end in spans:
            there[kind] += 1
            covered[kind] += any(m.start <= start and end <= m.end for m in matches)
        false += sum(all(m.end <= start or end <= m.start for _, start, end in spans) for m in matches)
    return there, covered, false


def read_benign(folder: Path) -> Iterator[str]:
    with (folder / "xstest/xstest_prompts.csv").open(encoding="utf-8", newline="") as file:
        yield from (row["prompt"] for row in csv.DictReader(file) if row["label"] == "safe")
    with (folder / "moderation/samples_even.jsonl").open(encoding="utf-8") as file:
        yield from (json.loads(line)["prompt"] for line in file)
    yield from (folder / "fuzzyai/benign_prompts.txt").read_text("utf-8").splitlines()


def test_structured_personal_data_of_a_public_sample_is_covered(shared_data: Path) -> None:
    there, covered, false = count_personal_data(shared_data)
    assert 0 == false
    for kind in ("CREDIT_CARD", "EMAIL_ADDRESS", "IP_ADDRESS", "US_DRIVER_LICENSE", "US_SSN"):
        assert there[kind] == covered[kind]
    assert (10, 8) == (there["PHONE_NUMBER"], covered["PHONE_NUMBER"])
    assert (46, 2) == (there["ADDRESS"], covered["ADDRESS"])


@pytest.mark.parametrize(("pack", "most"), [("pii", 1), ("secrets", 0), ("injection", 0)])
def test_packs_hardly_take_anything_in_benign_texts(shared_data: Path, pack: str, most: int) -> None:
    rules = RuleSet(open_pack(pack))
    texts = [text for text in read_benign(shared_data) if text.strip()]
    assert len(texts) > 1900
    assert sum(bool(rules.find(text)) for text in texts) <= most


def test_phrases_alone_find_about_half_of_a_public_list_of_injections(shared_data: Path) -> None:
    rules = RuleSet(open_pack("injection"))
    with (shared_data / "giskard_injections/prompt_injections.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        texts = [row["prompt"] for row in csv.DictReader(file)]
    assert (35, 17) == (len(texts), sum(bool(rules.find(text)) for text in texts))
