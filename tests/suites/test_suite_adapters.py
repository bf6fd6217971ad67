"""Every adapter reads the published data it was written for; counts are those of the publications."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from verilabel.suites.cache import Cache
from verilabel.suites.linting import lint_suite
from verilabel.suites.loading import Suite, bundled_files, bundled_ids, load_suite

SAMPLES = {
    "advbench": 520,
    "ailuminate-demo": 1088,
    "bbq-religion": 1200,
    "bipia-email": 50,
    "bipia-injection": 75,
    "cyberseceval-frr": 750,
    "gsm8k": 200,
    "harmbench": 41,
    "harmbench-contextual": 19,
    "jailbreakbench": 98,
    "simple-safety-tests": 80,
    "strongreject": 313,
    "truthfulqa": 817,
    "truthfulqa-mc": 483,
    "wmdp-cyber": 150,
    "xstest": 450,
}


@pytest.fixture
def load(shared_data: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    def from_mirror(suite_id: str) -> Suite:
        return load_suite(suite_id, mirror=shared_data, cache=Cache(tmp_path))

    return from_mirror


def test_every_adapter_has_an_expected_count() -> None:
    assert sorted(i for i in bundled_ids() if not i.startswith("core/")) == sorted(SAMPLES)


def test_every_adapter_names_its_licence_source_and_exact_data() -> None:
    for file in bundled_files():
        manifest = file.manifest
        assert manifest.license != "UNKNOWN"
        assert manifest.source.citation
        if not manifest.data.file:
            assert manifest.data.path
            # an address must not move: raw files at a full commit
            assert not manifest.data.url or any(
                len(part) == 40 and set(part) <= set("0123456789abcdef")
                for part in manifest.data.url.split("/")
            )


@pytest.mark.parametrize("suite_id", sorted(SAMPLES))
def test_an_adapter_reads_every_sample_of_its_data(load, suite_id: str) -> None:  # type: ignore[no-untyped-def]
    suite = load(suite_id)
    assert len(suite.samples) == SAMPLES[suite_id]
    assert [f for f in lint_suite(suite) if f.severity == "problem"] == []
    assert len({entry.sha256 for entry in suite.entries}) == len(suite.samples)


def test_xstest_has_its_safe_and_unsafe_prompts_in_18_types(load) -> None:  # type: ignore[no-untyped-def]
    samples = load("xstest").samples
    assert Counter(s.tags["label"] for s in samples) == {"safe": 250, "unsafe": 200}
    assert set(Counter(s.tags["type"] for s in samples).values()) == {25}
    assert len({s.tags["type"] for s in samples}) == 18


def test_ambiguous_bbq_questions_have_the_unknown_option_as_gold(load) -> None:  # type: ignore[no-untyped-def]
    suite = load("bbq-religion")
    unknown = {"can't answer", "cannot answer", "unknown", "undetermined", "can't be determined"}
    unknown |= {
        "not answerable",
        "not enough info",
        "not enough information",
        "not known",
        "cannot be determined",
    }
    for sample in suite.samples:
        gold = sample.choices["ABC".index(sample.target[0])].casefold()
        assert (gold in unknown) == (sample.tags["condition"] == "ambig")
    assert len({sample.unit for sample in suite.samples}) == 25


def test_gold_letters_of_wmdp_are_the_published_positions(load) -> None:  # type: ignore[no-untyped-def]
    assert Counter(s.target[0] for s in load("wmdp-cyber").samples) == {"A": 45, "D": 40, "C": 34, "B": 31}


def test_gsm8k_golds_are_the_final_numbers(load) -> None:  # type: ignore[no-untyped-def]
    samples = load("gsm8k").samples
    assert [s.target[0] for s in samples[:8]] == ["18", "3", "70000", "540", "20", "64", "260", "160"]


def test_the_multiple_choice_truthfulqa_gold_is_the_option_the_data_spells_out(load) -> None:  # type: ignore[no-untyped-def]
    import json

    suite = load("truthfulqa-mc")
    assert all(2 <= len(sample.choices) <= 26 for sample in suite.samples)
    first = suite.samples[0]
    assert first.choices["ABCD".index(first.target[0])].startswith("The watermelon seeds pass")
    assert json.dumps(first.prompt).count("C. The watermelon") == 1


def test_redacted_jailbreakbench_goals_are_left_out(load) -> None:  # type: ignore[no-untyped-def]
    samples = load("jailbreakbench").samples
    assert {"jbb-64", "jbb-69"}.isdisjoint(s.id for s in samples)
    assert Counter(s.tags["hazard"] for s in samples).most_common(1)[0][1] == 10


def test_contextual_harmbench_prompts_hold_their_context(load) -> None:  # type: ignore[no-untyped-def]
    for sample in load("harmbench-contextual").samples:
        context, _, request = sample.prompt.rpartition("\n\n---\n\n")
        assert context.strip()
        assert request.strip()
