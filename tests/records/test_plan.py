"""The plan: an order that its seed commits to, the same in any language, and a digest that says so."""

from __future__ import annotations

import hashlib
from collections import Counter
from fractions import Fraction
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.records.plan import (
    MeasurePlan,
    Plan,
    RubricReference,
    StreamPlan,
    ordered_ids,
)
from verilabel.records.sample import SampleEntry
from verilabel.records.score import DetectorCard

KNOWN = ["s4", "s5", "s0", "s6", "s2", "s1", "s3"]
KNOWN_DIGEST = "sha256:4a2c21ef9d9df9b430fd799e4fbd79beb9ee7defdc53927514f7486814f93aa2"
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)


def entries(families: list[str], strata: list[str] | None = None) -> list[SampleEntry]:
    """Samples s0, s1, ... of these families and strata."""
    strata = strata or [""] * len(families)
    return [SampleEntry(f"s{i}", "x", f, s) for i, (f, s) in enumerate(zip(families, strata, strict=True))]


def sha256(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


SAMPLES = st.integers(1, 12).flatmap(
    lambda size: st.lists(st.sampled_from(["", "f", "g"]), min_size=size, max_size=size).map(entries)
)


@settings(max_examples=100, deadline=None)
@given(seed=NAMES, samples=SAMPLES, data=st.data())
def test_the_order_has_every_sample_once_and_depends_on_nothing_but_seed_and_samples(
    seed: str, samples: list[SampleEntry], data: st.DataObject
) -> None:
    order = ordered_ids(seed, "demo@1.0.0", samples)
    assert sorted(sample.id for sample in samples) == sorted(order)
    assert order == ordered_ids(seed, "demo@1.0.0", data.draw(st.permutations(samples)))


@settings(max_examples=60, deadline=None)
@given(seed=NAMES, size=st.integers(1, 12))
def test_single_samples_stand_in_the_order_of_their_hashes(seed: str, size: int) -> None:
    """The rule as another program would write it."""
    expected = sorted((f"s{i}" for i in range(size)), key=lambda i: sha256(seed, "demo@1.0.0", "", i))
    assert expected == ordered_ids(seed, "demo@1.0.0", entries([""] * size))


def test_a_known_order() -> None:
    """A fixed vector: whoever orders these otherwise cannot check a bundle."""
    samples = entries(["", "f", "", "f", "g", "g", ""])
    assert KNOWN == ordered_ids("0123456789abcdef", "demo@1.0.0", samples)
    families = sorted(
        ["s0", "s2", "s6", "f", "g"], key=lambda f: sha256("0123456789abcdef", "demo@1.0.0", "", f)
    )
    assert families == [{"s1": "f", "s4": "g"}.get(i, i) for i in KNOWN if i not in ("s3", "s5")]


@settings(max_examples=60, deadline=None)
@given(seed=NAMES, samples=SAMPLES)
def test_a_family_stays_together(seed: str, samples: list[SampleEntry]) -> None:
    unit = {sample.id: sample.unit for sample in samples}
    blocks = [name for name, _ in groupby(ordered_ids(seed, "demo@1.0.0", samples), key=unit.__getitem__)]
    assert len(blocks) == len(set(blocks))


def test_another_seed_or_suite_gives_another_order() -> None:
    samples = entries([""] * 40)
    orders = [ordered_ids(s, n, samples) for s, n in (("1", "a@1.0.0"), ("2", "a@1.0.0"), ("1", "b@1.0.0"))]
    assert 3 == len({tuple(order) for order in orders})


def test_every_place_is_taken_by_every_sample_equally_often() -> None:
    """Over 2,000 seeds each of 5 samples comes first 400 times, give or take five standard deviations (18)."""
    samples = entries([""] * 5)
    first = Counter(ordered_ids(str(seed), "demo@1.0.0", samples)[0] for seed in range(2000))
    assert all(abs(first[sample.id] - 400) < 90 for sample in samples)


@settings(max_examples=60, deadline=None)
@given(
    seed=NAMES,
    strata=st.lists(st.sampled_from(["a", "b", "c"]), min_size=3, max_size=30).filter(
        lambda s: len(set(s)) > 1
    ),
    weights=st.tuples(*[st.integers(1, 9)] * 3),
)
def test_strata_interleave_so_that_every_prefix_keeps_the_shares(
    seed: str, strata: list[str], weights: tuple[int, int, int]
) -> None:
    share = dict(zip("abc", weights, strict=True))
    samples = entries([""] * len(strata), strata)
    order = ordered_ids(seed, "demo@1.0.0", samples, {name: str(weight) for name, weight in share.items()})
    stratum = {sample.id: sample.stratum for sample in samples}
    present = {name: Fraction(share[name]) for name in set(strata)}
    total = sum(present.values())
    taken = Counter[str]()
    for count, sample_id in enumerate(order, 1):
        taken[stratum[sample_id]] += 1
        for name, weight in present.items():
            assert abs(taken[name] - count * weight / total) <= len(present) - 1
    assert any(taken[name] == strata.count(name) for name in present)  # it ends where one stratum runs dry
    if len(order) < len(samples):
        assert len(set(order)) == len(order)


def test_a_tie_between_strata_goes_to_the_one_named_first() -> None:
    samples = entries([""] * 6, ["b", "b", "b", "a", "a", "a"])
    order = ordered_ids("7", "demo@1.0.0", samples, {"a": "0.5", "b": "0.5"})
    stratum = {sample.id: sample.stratum for sample in samples}
    assert ["a", "b", "a", "b"] == [stratum[sample_id] for sample_id in order[:4]]


CARD = DetectorCard("look", "1.0.0", "seen", "sha256:" + "0" * 64)
PLAN = Plan(
    system_sha256="sha256:" + "1" * 64,
    rubric=RubricReference("demo", "1.0.0", "sha256:" + "2" * 64),
    design="anytime",
    seed="0123456789abcdef",
    streams=(StreamPlan("demo@1.0.0", "sha256:" + "3" * 64, "sha256:" + "4" * 64, 9, 9, (CARD.name,)),),
    measures=(MeasurePlan("m", "demo@1.0.0", "seen", CARD.name, "item", "items_sampled"),),
    detectors=(CARD,),
    created="2026-01-01T00:00:00Z",
)


def test_a_known_plan_digest() -> None:
    """A fixed vector: a field that is added with a default must not change the digest of a plan without it."""
    assert KNOWN_DIGEST == PLAN.digest
    assert "sha256:" + hashlib.sha256(PLAN.bytes()).hexdigest() == PLAN.digest


def test_a_plan_names_its_format_and_its_order() -> None:
    document = PLAN.document()
    assert ("verilabel/plan/v1", "sha256-sort/v1") == (document["format"], document["order"])


def test_a_plan_finds_its_detectors_by_name() -> None:
    assert CARD == PLAN.detector("look@1.0.0")
    with pytest.raises(KeyError):
        PLAN.detector("look@2.0.0")
