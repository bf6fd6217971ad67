"""Lists of findings: known answers of Holm and e-BH, and what they promise."""

from __future__ import annotations

from math import inf, log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import MalformedInput
from verilabel.statistics.multiplicity import e_bh, holm


def test_the_known_answers_come_out() -> None:
    assert [0.03, 0.06, 0.06, 0.02] == pytest.approx(holm([0.01, 0.04, 0.03, 0.005]))
    assert [0, 1, 2] == e_bh([log(e) for e in (100, 50, 30, 2, 1)], 0.1)
    # 30 alone is below 2 / 0.05, yet both are at least 2 / (0.05 * 2)
    assert [0, 1] == e_bh([log(25), log(30)], 0.05)


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_lies_between_the_p_values_and_bonferroni_and_keeps_their_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for p, a in zip(p_values, adjusted, strict=True):
        assert p <= a <= min(1, p * len(p_values))
    for (p, a), (q, b) in zip(
        zip(p_values, adjusted, strict=True), list(zip(p_values, adjusted, strict=True))[1:], strict=False
    ):
        assert (p <= q and a <= b) or (p >= q and a >= b)


@given(st.lists(st.floats(-10, 20), min_size=1, max_size=20), st.sampled_from([0.05, 0.1, 0.5]))
def test_e_bh_rejects_the_largest_prefix_that_holds(log_es: list[float], alpha: float) -> None:
    rejected = e_bh(log_es, alpha)
    ranked = sorted(log_es, reverse=True)
    sizes = [k for k in range(1, len(log_es) + 1) if ranked[k - 1] >= log(len(log_es) / (alpha * k))]
    assert max(sizes, default=0) == len(rejected)
    if rejected:
        assert min(log_es[i] for i in rejected) >= max(
            (v for i, v in enumerate(log_es) if i not in rejected), default=-inf
        )


def test_certain_evidence_is_rejected_and_none_is_not() -> None:
    assert [1] == e_bh([-inf, inf, 0.0])
    assert [] == e_bh([])
    assert [] == holm([])


def test_values_that_are_no_evidence_are_refused_with_their_place() -> None:
    for attempt in (lambda: holm([0.1, 1.2]), lambda: holm([0.1, nan]), lambda: e_bh([0.0, nan])):
        with pytest.raises(MalformedInput) as caught:
            attempt()
        assert "$[1]" == caught.value.where
