"""Counts over the records of an audit: they agree with its manifest, with its corpus, and with each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit_shown import HOSTILE, poor_audit, rich_audit
from verilabel.audit.exporting.found import found_in_all, found_in_sample, say_found
from verilabel.audit.exporting.tallies import Tallies, names_of_values, tally_audit
from verilabel.audit.interface import Column
from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.errors import MalformedInput


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rich_audit(tmp_path_factory.getbasetemp() / "rich-audit")


@pytest.fixture(scope="module")
def manifest(folder: Path) -> AuditManifest:
    return AuditFolder(folder).manifest()


@pytest.fixture(scope="module")
def tallies(folder: Path, manifest: AuditManifest) -> Tallies:
    return tally_audit(AuditFolder(folder), manifest)


def test_every_document_read_has_a_licence_class_and_a_language(
    tallies: Tallies, manifest: AuditManifest
) -> None:
    read = manifest.coverage.read
    assert read == sum(each.documents for each in tallies.licence_classes)
    assert read == sum(each.documents for each in tallies.languages)
    assert read == tallies.undated + sum(each.documents for each in tallies.years)


def test_unread_documents_are_counted_by_reason(tallies: Tallies, manifest: AuditManifest) -> None:
    assert {"not a JSON object": 1, "not text": 1} == {each.reason: each.documents for each in tallies.unread}
    assert manifest.coverage.unread == sum(each.documents for each in tallies.unread)


def test_findings_of_shards_add_up_to_those_of_the_corpus(tallies: Tallies, manifest: AuditManifest) -> None:
    assert {"part-000.parquet", f"part-{HOSTILE}-1.jsonl"} == {part.name for part in tallies.shards}
    for family, documents in tallies.found.items():
        assert documents == sum(part.found[family] for part in tallies.shards)
        totals = [total.documents for total in manifest.totals if total.kind.startswith(family + ".")]
        assert max(totals) <= documents <= sum(totals)
    assert 1 == tallies.found["contamination"] == tallies.found["pii"]


def test_hosts_have_the_findings_of_their_documents(tallies: Tallies) -> None:
    assert {f"site{number}.example.org" for number in range(3)} == {site.host for site in tallies.hosts}
    assert 40 == sum(site.documents for site in tallies.hosts)
    assert tallies.found["pii"] == sum(site.found["pii"] for site in tallies.hosts)
    assert 10 == tallies.without_host
    assert [("example.org", 40)] == [(each.name, each.documents) for each in tallies.domains]


def test_licences_are_those_that_documents_name_and_that_sources_declare(tallies: Tallies) -> None:
    assert [("MIT", 1)] == [(each.name, each.documents) for each in tallies.licences]
    assert {"MIT": 20, "CC-BY-4.0": 20} == {each.name: each.documents for each in tallies.declared}


def test_clusters_by_size_are_the_clusters_of_the_manifest(tallies: Tallies, manifest: AuditManifest) -> None:
    assert manifest.duplicates is not None
    assert manifest.duplicates.exact.clusters == sum(each.clusters for each in tallies.exact_sizes)
    assert manifest.duplicates.near.documents == sum(each.documents for each in tallies.near_sizes)
    assert [(3, 4, 1, 3)] == [
        (each.low, each.high, each.clusters, each.documents) for each in tallies.exact_sizes
    ]


def test_items_of_a_benchmark_that_were_found_are_named(tallies: Tallies, manifest: AuditManifest) -> None:
    (benchmark,) = tallies.benchmarks
    assert manifest.contamination[0].matched == len(benchmark.items) == 1
    assert ("whole", 1, 1000) == (
        benchmark.items[0].rule,
        benchmark.items[0].documents,
        benchmark.items[0].share,
    )


def test_a_kind_is_said_with_its_bound_and_the_errors_of_its_detector(manifest: AuditManifest) -> None:
    by_kind = {found.kind: found for found in found_in_all(manifest)}
    assert [total.kind for total in manifest.totals] == list(by_kind)
    said = say_found(by_kind["pii.phone"])
    assert "found in 1 of 50 documents" in said
    assert "no more than" in said
    assert "per million" in said
    assert "planted values were found" in said
    assert {"toxicity/linear"} == {found.measured.reference for found in found_in_sample(manifest)}


def test_without_canaries_nothing_is_bounded_and_it_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    poor = AuditFolder(poor_audit(tmp_path_factory.getbasetemp() / "poor-audit")).manifest()
    for found in found_in_all(poor):
        assert not found.bounded
        assert "is not bounded: no canaries were planted" in say_found(found)


def test_names_of_values_are_read_from_a_columns_words() -> None:
    column = Column("licences_class", "u1", "class of that licence: 0 none, 1 public domain, 2 permissive")
    assert {0: "none", 1: "public domain", 2: "permissive"} == names_of_values(column)
    assert {0: "a", 1: "b"} == names_of_values(Column("x", "u1", "a choice", ("a", "b")))
    assert {} == names_of_values(Column("bytes", "u4", "length of its text"))


def test_a_kind_that_no_record_counts_is_malformed(folder: Path, manifest: AuditManifest) -> None:
    import msgspec

    torn = msgspec.structs.replace(manifest, record=manifest.record[:3])
    with pytest.raises(MalformedInput, match="no record counts"):
        tally_audit(AuditFolder(folder), torn)
