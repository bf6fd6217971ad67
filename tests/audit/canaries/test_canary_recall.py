"""Counting which planted values were found, and choosing shards and documents for them, by contents alone."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.canaries.plan import MAX_HOST_BYTES, Hosts, plan_canaries, shard_seed
from verilabel.audit.canaries.planting import Planted, Truth, plant
from verilabel.audit.canaries.recall import Recall, add_recalls, count_found
from verilabel.audit.interface import Batch, Findings
from verilabel.audit.settings import AuditSettings, CanarySettings

KINDS = ("pii.email", "pii.card")
TEXTS = [(f"Document number {at} speaks of nothing in particular. " * 8).encode() for at in range(40)]


def batch_of(texts: list[bytes], first_row: int = 0) -> Batch:
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    rows = np.arange(first_row, first_row + len(texts), dtype=np.int64)
    return Batch(np.frombuffer(b"".join(texts), np.uint8), offsets, rows)


def findings_of(batch: Batch, spans: list[tuple[int, int, int, int]]) -> Findings:
    """From (row, kind, start, end) with positions in the document."""
    rows = batch.rows.tolist()
    placed = [(rows.index(row), kind, start, end) for row, kind, start, end in sorted(spans) if row in rows]
    offsets = batch.offsets
    return Findings(
        np.array([one[0] for one in placed], np.int32),
        np.array([one[1] for one in placed], np.uint16),
        np.array([offsets[one[0]] + one[2] for one in placed], np.int64),
        np.array([offsets[one[0]] + one[3] for one in placed], np.int64),
    )


def count(truth: list[Truth], spans: list[tuple[int, int, int, int]]) -> list[Recall]:
    batch = batch_of([b"x" * 100, b"y" * 100])
    return count_found(truth, batch, findings_of(batch, spans), KINDS)


EMAIL = Truth(1, "pii.email", "plain", 10, 30)


@pytest.mark.parametrize(
    ("spans", "found"),
    [
        ([(1, 0, 10, 30)], 1),
        ([(1, 0, 0, 100)], 1),
        ([(1, 0, 20, 30)], 1),
        ([(1, 0, 21, 40)], 0),
        ([(1, 0, 10, 15), (1, 0, 25, 30)], 1),
        ([(1, 0, 10, 16), (1, 0, 12, 18)], 0),
        ([(0, 0, 10, 30)], 0),
        ([(1, 1, 10, 30)], 0),
        ([], 0),
    ],
)
def test_a_value_is_found_where_findings_of_its_kind_cover_half_of_it(
    spans: list[tuple[int, int, int, int]], found: int
) -> None:
    assert [Recall("pii.email", "plain", 1, found)] == count([EMAIL], spans)


def test_values_of_kinds_that_a_check_does_not_look_for_are_not_counted_against_it() -> None:
    other = Truth(0, "licence.text", "MIT", 0, 50)
    assert [Recall("pii.email", "plain", 1, 1)] == count([other, EMAIL], [(1, 0, 10, 30)])


def test_a_passage_is_found_where_findings_touch_it() -> None:
    passage = Truth(1, "licence.text", "MIT", 10, 90)
    batch = batch_of([b"x" * 100, b"y" * 100])
    for span, found in (((1, 0, 12, 20), 1), ((1, 0, 0, 10), 0), ((1, 0, 90, 95), 0)):
        findings = findings_of(batch, [span])
        assert [Recall("licence.text", "MIT", 1, found)] == count_found(
            [passage], batch, findings, ["licence.text"]
        )


def test_a_check_without_findings_found_nothing() -> None:
    batch = batch_of([b"x" * 100, b"y" * 100])
    assert [Recall("pii.email", "plain", 1, 0)] == count_found([EMAIL], batch, None, KINDS)


def perfect(planted: Planted, batch: Batch, every: int = 1) -> list[Recall]:
    spans = [(t.document, KINDS.index(t.kind), t.start, t.end) for t in planted.truth[::every]]
    return count_found(planted.truth, batch, findings_of(batch, spans), KINDS)


def test_counts_of_batches_add_up_to_those_of_one_batch() -> None:
    planted = plant(TEXTS, b"s", KINDS, 9)
    whole = perfect(planted, batch_of(planted.texts), every=2)
    parts = [perfect(planted, batch, every=2) for batch in planted.batches(3_000)]
    assert len(parts) > 3
    assert whole == add_recalls(parts)
    assert len(planted.truth) == sum(one.planted for one in whole)
    assert (len(planted.truth) + 1) // 2 == sum(one.found for one in whole)


# ---------------------------------------------------------------- shards


def settings_of(per_format: int) -> AuditSettings:
    return AuditSettings(canaries=CanarySettings(per_format=per_format))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("0123456789abcdef", min_size=4, max_size=8), max_size=40), st.integers(0, 300))
def test_quotas_add_up_and_are_nearly_equal(digests: list[str], per_format: int) -> None:
    quotas = plan_canaries(settings_of(per_format), digests)
    assert len(digests) == len(quotas)
    assert sum(quotas) == (per_format if digests else 0)
    assert not quotas or max(quotas) - min(quotas) <= 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("abcdef", min_size=3, max_size=6), unique=True, min_size=1, max_size=30), st.data())
def test_a_shards_quota_does_not_depend_on_the_order_of_shards(
    digests: list[str], data: st.DataObject
) -> None:
    mixed = data.draw(st.permutations(digests))
    one = dict(zip(digests, plan_canaries(settings_of(100), digests), strict=True))
    assert one == dict(zip(mixed, plan_canaries(settings_of(100), mixed), strict=True))


def test_sums_over_shards_do_not_depend_on_their_order() -> None:
    shards = {f"sha256:{at:064x}": TEXTS[at * 10 : at * 10 + 10] for at in range(4)}

    def audit(order: tuple[str, ...]) -> list[Recall]:
        quotas = plan_canaries(settings_of(10), order)
        parts = []
        for digest, quota in zip(order, quotas, strict=True):
            hosts = Hosts(shard_seed(digest), 5)
            hosts.offer(batch_of(shards[digest]))
            planted = plant(hosts.texts(), shard_seed(digest), KINDS, quota)
            parts.append(perfect(planted, batch_of(planted.texts), every=3))
        return add_recalls(parts)

    sums = [audit(order) for order in permutations(shards)]
    assert all(sums[0] == other for other in sums)
    assert all(one.planted == 10 for one in sums[0])


# ---------------------------------------------------------------- hosts


def chosen(texts: list[bytes], count: int, cuts: list[int]) -> list[bytes]:
    hosts = Hosts(b"seed of eight bytes or more", count)
    edges = [0, *cuts, len(texts)]
    for start, end in pairwise(edges):
        hosts.offer(batch_of(texts[start:end], start))
    return hosts.texts()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=8).map(sorted), st.integers(0, 60))
def test_the_choice_of_documents_does_not_depend_on_batches(cuts: list[int], count: int) -> None:
    whole = chosen(TEXTS, count, [])
    assert whole == chosen(TEXTS, count, cuts)
    assert len(whole) == min(count, len(TEXTS))
    assert set(whole) <= set(TEXTS)


def test_a_larger_choice_begins_with_the_smaller_one() -> None:
    assert chosen(TEXTS, 7, []) == chosen(TEXTS, 30, [])[:7]


def test_another_shard_chooses_other_documents() -> None:
    one, other = Hosts(shard_seed("sha256:aa"), 10), Hosts(shard_seed("sha256:bb"), 10)
    for hosts in (one, other):
        hosts.offer(batch_of(TEXTS))
    assert one.texts() != other.texts()


def test_every_document_is_chosen_about_equally_often() -> None:
    counts = np.zeros(len(TEXTS), int)
    for at in range(400):
        hosts = Hosts(shard_seed(str(at)), 10)
        hosts.offer(batch_of(TEXTS))
        for text in hosts.texts():
            counts[TEXTS.index(text)] += 1
    # binomial of 400 draws at 1/4: 5 standard deviations are 43
    assert counts.min() > 57
    assert counts.max() < 143


def test_only_a_stretch_of_a_long_document_is_kept_and_empty_ones_are_not() -> None:
    long = "ä".encode() * 50_000
    hosts = chosen([b"", long, b"short text", b""], 4, [2])
    assert len(hosts) == 2
    assert all(len(host) <= MAX_HOST_BYTES for host in hosts)
    assert all(host.decode() for host in hosts)
