"""The page on guards says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from verilabel.detectors.measure import shipped_measurements
from verilabel.gateway.guards.catalogue import KINDS, check_settings
from verilabel.gateway.policy.document import GuardEntry
from verilabel.records.strict_yaml import load_strict_yaml

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "guards.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_list_of_good_guards(example: str) -> None:
    guards = load_strict_yaml(example.encode(), where="docs/guards.md")["guards"]
    for index, guard in enumerate(guards):
        check_settings(msgspec.convert(guard, GuardEntry), f"$.guards[{index}]")


def test_the_table_of_kinds_is_the_catalogue() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\w+), ([\w ]+) \|$", PAGE, re.MULTILINE)
    ways = {("input", "output"): "both ways", ("input",): "input", ("output",): "output"}
    entries = [GuardEntry(id="g", use=name) for name in KINDS]
    assert [(entry.use, entry.action, ways[entry.on]) for entry in entries] == rows
    used = {
        guard["use"]
        for example in EXAMPLES
        for guard in load_strict_yaml(example.encode(), where="docs/guards.md")["guards"]
    }
    assert set(KINDS) == used


def test_the_measured_numbers_are_those_that_ship() -> None:
    unseen, known, alarms = (t.counts for t in shipped_measurements().tables if t.detector == "jailbreak")
    rows = re.findall(r"^\| ([^|`]+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert [(c.dataset, str(c.true_positives), str(c.positives)) for c in unseen if c.positives] == rows
    by_name = {counts.dataset: counts for counts in known}
    pair, meta = by_name["JailbreakBench PAIR prompts"], by_name["CyberSecEval prompt injections"]
    assert f"{pair.true_positives} of {pair.positives} (PAIR)" in PAGE
    assert f"{meta.true_positives} of {meta.positives} (CyberSecEval)" in PAGE
    for counts in alarms:
        assert f"{counts.negatives - counts.true_negatives} of {counts.negatives} " in PAGE
