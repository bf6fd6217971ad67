"""Indicators of memorisation: counts over the records, and nothing that was not measured."""

from __future__ import annotations

import numpy as np

from verilabel.audit.exporting.memorisation import WORDS, IndicatorCounter, Repeated
from verilabel.audit.proof.records import Records

EXACT, NEAR, REPEATED = "duplicates_exact_size", "duplicates_near_size", "quality_repeated_ngrams"


def records(**columns: list[int]) -> Records:
    found = np.zeros(len(next(iter(columns.values()))), [(name, np.uint32) for name in columns])
    for name, values in columns.items():
        found[name] = values
    return found


def test_indicators_count_documents_by_how_often_they_are_there() -> None:
    counter = IndicatorCounter({EXACT, NEAR, REPEATED, "bytes"})
    counter.add(records(**{EXACT: [1, 2, 12], NEAR: [1, 150, 150], REPEATED: [0, 501, 500]}))
    counter.add(records(**{EXACT: [1_000], NEAR: [1_000], REPEATED: [900]}))
    counted = counter.counted()
    assert counted is not None
    assert (
        Repeated(2, 3, 3),
        Repeated(10, 2, 3),
        Repeated(100, 1, 3),
        Repeated(1_000, 1, 1),
    ) == counted.repeated
    assert (4, 2) == (counted.documents, counted.repetitive)
    assert counted.words == WORDS and "Indicators only" in WORDS


def test_what_no_check_measured_is_not_said_to_be_none() -> None:
    counter = IndicatorCounter({EXACT})
    counter.add(records(**{EXACT: [2, 2, 1]}))
    counted = counter.counted()
    assert counted is not None
    assert ([None] * 4, None) == ([each.near for each in counted.repeated], counted.repetitive)
    assert 2 == counted.repeated[0].exact
    assert IndicatorCounter({"bytes", REPEATED}).counted() is None
