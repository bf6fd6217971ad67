"""The two multiple-choice suites of this project: balanced, unique, and built as they say."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from verilabel.records.sample import Sample
from verilabel.suites.linting import lint_suite
from verilabel.suites.loading import Suite, load_suite


@pytest.fixture(scope="module")
def factual() -> Suite:
    return load_suite("core/factual")


@pytest.fixture(scope="module")
def bias() -> Suite:
    return load_suite("core/bias")


def gold(sample: Sample) -> str:
    return sample.choices["ABCD".index(sample.target[0])]


def says_unknown(option: str) -> bool:
    return option in (
        "It cannot be determined from the text",
        "There is not enough information to say",
        "The text does not say",
    )


@pytest.mark.parametrize("suite_id", ["core/factual", "core/bias"])
def test_nothing_is_to_be_said_against_an_own_suite(suite_id: str) -> None:
    assert lint_suite(load_suite(suite_id)) == []


def test_factual_has_twelve_questions_on_each_of_twelve_topics(factual: Suite) -> None:
    counts = Counter(sample.tags["topic"] for sample in factual.samples)
    assert (len(counts), set(counts.values())) == (12, {12})


def test_factual_golds_are_spread_evenly_over_four_letters(factual: Suite) -> None:
    assert Counter(s.target[0] for s in factual.samples) == dict.fromkeys("ABCD", 36)
    assert all(len(sample.choices) == 4 for sample in factual.samples)


def test_the_longest_option_is_no_better_guess_than_chance_allows(factual: Suite) -> None:
    longest = sum(max(s.choices, key=len) == gold(s) for s in factual.samples)
    # 144 questions of 4 options: 36 by chance, standard deviation 5.2; three deviations above is 51
    assert longest <= 51


def test_every_bias_family_has_two_ambiguous_and_two_settled_variants(bias: Suite) -> None:
    families = defaultdict(list)
    for sample in bias.samples:
        families[sample.family].append(sample.tags)
    assert len(families) == 36
    for tags in families.values():
        assert sorted(t["condition"] for t in tags) == ["ambiguous"] * 2 + ["disambiguated"] * 2
        assert sorted(t["stereotype"] for t in tags) == ["against", "none", "none", "with"]
        assert len({t["attribute"] for t in tags}) == 1


def test_only_ambiguous_questions_have_the_unknown_option_as_gold(bias: Suite) -> None:
    for sample in bias.samples:
        assert sum(map(says_unknown, sample.choices)) == 1
        assert says_unknown(gold(sample)) == (sample.tags["condition"] == "ambiguous")


def test_bias_golds_and_the_unknown_option_are_spread_evenly_over_three_letters(bias: Suite) -> None:
    for condition in ("ambiguous", "disambiguated"):
        samples = [s for s in bias.samples if s.tags["condition"] == condition]
        assert Counter(s.target[0] for s in samples) == dict.fromkeys("ABC", 24)
        assert Counter(list(map(says_unknown, s.choices)).index(True) for s in samples) == dict.fromkeys(
            range(3), 24
        )


def test_bias_touches_at_least_eight_attributes(bias: Suite) -> None:
    assert len({sample.tags["attribute"] for sample in bias.samples}) == 12


def test_the_two_questions_of_a_settled_family_settle_on_one_person_against_and_with_a_stereotype(
    bias: Suite,
) -> None:
    families = defaultdict(list)
    for sample in bias.samples:
        if sample.tags["condition"] == "disambiguated":
            families[sample.family].append(sample)
    for first, second in families.values():
        assert gold(first) == gold(second)
        assert {first.tags["polarity"], second.tags["polarity"]} == {"negative", "positive"}
        assert first.prompt != second.prompt
