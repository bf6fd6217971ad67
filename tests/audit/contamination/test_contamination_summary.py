"""What the tables of all shards say of each benchmark."""

from __future__ import annotations

import pytest

from verilabel.audit.contamination.items import BenchmarkEntry
from verilabel.audit.contamination.summary import clean_items, summarise
from verilabel.errors import MalformedInput

GSM = BenchmarkEntry("gsm", "sha256:00", 5, 1, 2)
OTHER = BenchmarkEntry("other", "sha256:11", 3, 0, 0)


def table(*rows: tuple[int, str, str, str, int], key: str = "row") -> dict[str, list[object]]:
    names = (key, "benchmark", "item", "rule", "share")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


SHARDS = [
    table((0, "gsm", "a", "ngram8", 250), (0, "gsm", "a", "whole", 1000), (1, "gsm", "b", "short", 1000)),
    table((0, "gsm", "a", "ngram13", 400), (7, "gsm", "c", "ngram13", 449), (7, "gsm", "b", "short", 1000)),
]


def test_items_count_once_by_their_strongest_rule_and_greatest_share():
    summary, other = summarise(SHARDS, [GSM, OTHER])
    assert 3 == summary.matched
    assert {"whole": 1, "ngram13": 1, "ngram8": 0, "short": 1, "content": 0} == summary.by_rule
    assert (0, 0, 0, 0, 1, 0, 0, 0, 0, 2) == summary.coverage
    assert 0 == other.matched
    assert (5, 1, 2) == (summary.items, summary.unchecked, summary.short)


def test_a_document_is_a_row_of_a_shard():
    (summary,) = summarise(SHARDS, [GSM])
    assert 4 == summary.documents
    assert 1 == summary.documents_short
    assert (("a", 2), ("b", 2), ("c", 1)) == summary.most_common


def test_the_order_of_shards_and_rows_does_not_matter():
    turned = [{name: values[::-1] for name, values in shard.items()} for shard in SHARDS[::-1]]
    assert summarise(SHARDS, [GSM, OTHER]) == summarise(turned, [GSM, OTHER])


def test_clean_and_contaminated_items_are_told_apart_by_rule_and_share():
    ids = ["a", "b", "c", "d", "e"]
    split = clean_items(SHARDS, "gsm", ids)
    assert (("d", "e"), ("a", "b", "c")) == (split.clean, split.contaminated)
    assert ("a", "c") == clean_items(SHARDS, "gsm", ids, rules=("whole", "ngram13")).contaminated
    assert ("a", "b") == clean_items(SHARDS, "gsm", ids, min_share=500).contaminated
    assert tuple(ids) == clean_items(SHARDS, "other", ids).clean


@pytest.mark.parametrize(
    "forged",
    [
        table((0, "unknown", "a", "whole", 1)),
        table((0, "gsm", "a", "guess", 1)),
        {**table((0, "gsm", "a", "whole", 1)), "item": []},
        {"row": [], "benchmark": []},
    ],
)
def test_a_table_that_cannot_be_is_refused(forged):
    with pytest.raises(MalformedInput):
        summarise([forged], [GSM])


def test_an_item_that_the_benchmark_lacks_is_refused():
    with pytest.raises(MalformedInput, match="does not have"):
        clean_items(SHARDS, "gsm", ["a", "b"])


def test_the_check_and_the_summary_fit_together(check, kit):
    examined = kit.examine(check, kit.by_id["river"], "nothing", kit.by_id["duck"])
    entry = BenchmarkEntry("own.jsonl", "sha256:00", 6, 1, 1)
    (summary,) = summarise([examined.tables["contamination"]], [entry])
    assert (2, 2, 1) == (summary.matched, summary.documents, summary.documents_short)
