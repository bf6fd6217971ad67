"""An audit that is broken off anywhere, and goes on with the same or other things, gives what a fresh one gives."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit_corpora import some_text, write_corpus
from audit_runs import (
    QUESTION,
    InProcess,
    Telling,
    few,
    killed_at,
    local_workers,
    run,
    with_benchmark,
    without_times,
    write_secret,
)
from verilabel.audit.api import load_audit
from verilabel.audit.engine.local import LocalExecutor
from verilabel.audit.engine.work import secret_file, work_folder
from verilabel.audit.proof.layout import MANIFEST
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.reading.interface import ShardChanged
from verilabel.audit.settings import AuditSettings, CanarySettings, DuplicatesSettings, SamplingSettings
from verilabel.errors import SandboxError, UsageError

STAGES = (
    "preparing",
    "one shard",
    "comparing",
    "joining",
    "committing",
    "planting",
    "drawing",
    "sampling",
    "sealing",
)


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_secret(tmp_path_factory.mktemp("secret") / "secret")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "texts", files=4, documents=40, extra=[QUESTION])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> AuditSettings:
    bench = with_benchmark(tmp_path_factory.mktemp("bench") / "lamps.jsonl")
    return few(
        *("pii", "contamination", "duplicates"),
        contamination=msgspec.structs.replace(bench, sketch=True),
        sampling=SamplingSettings(documents=20),
        canaries=CanarySettings(per_format=4),
    )


def test_a_driver_that_is_killed_at_every_stage_in_turn_comes_to_the_same_audit(
    corpus: Path, whole: AuditSettings, secret: Path, tmp_path: Path
) -> None:
    fresh = run(corpus, whole, tmp_path / "fresh.audit", secret)
    out = tmp_path / "killed.audit"
    for stage in STAGES:
        killed_at(stage, corpus, whole, out, secret)
        assert not out.exists()
        assert work_folder(out).is_dir()
    assert without_times(fresh) == without_times(run(corpus, whole, out, secret))
    assert ["fresh.audit", "killed.audit"] == sorted(path.name for path in tmp_path.iterdir())
    assert load_audit(out).verify().manifest.root == fresh.root


def test_a_driver_that_is_killed_after_the_result_is_in_its_place_leaves_what_the_next_call_removes(
    corpus: Path, secret: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run.audit"
    killed_at("sealing", corpus, few("duplicates"), out, secret)
    (work_folder(out) / "out").rename(out)
    (out / MANIFEST).write_bytes(b"{}")
    (work_folder(out) / "whole").touch()
    with pytest.raises(UsageError, match="something here already"):
        run(corpus, few("duplicates"), out, secret)
    assert ["run.audit"] == [path.name for path in tmp_path.iterdir()]


def test_an_unfinished_audit_is_not_removed_for_one_that_lies_beside_it(
    corpus: Path, secret: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run.audit"
    killed_at("committing", corpus, few("duplicates"), out, secret)
    out.mkdir()
    with pytest.raises(UsageError, match="something here already"):
        run(corpus, few("duplicates"), out, secret)
    assert list((work_folder(out) / "map").glob("*/done.json"))


@pytest.mark.parametrize(
    "other",
    [
        few("pii", "duplicates", duplicates=DuplicatesSettings(min_similarity=0.99)),
        few("duplicates"),
        few("duplicates", "pii", canaries=CanarySettings(per_format=3)),
    ],
    ids=["threshold", "fewer checks", "canaries"],
)
def test_other_settings_after_a_kill_use_nothing_that_is_stale(
    corpus: Path, secret: Path, other: AuditSettings, tmp_path: Path
) -> None:
    out = tmp_path / "run.audit"
    killed_at("sealing", corpus, few("pii", "duplicates"), out, secret)
    fresh = run(corpus, other, tmp_path / "fresh.audit", secret)
    assert without_times(fresh) == without_times(run(corpus, other, out, secret))


def test_a_benchmark_that_changes_after_a_kill_is_looked_for_as_it_is_now(
    corpus: Path, secret: Path, tmp_path: Path
) -> None:
    out, bench = tmp_path / "run.audit", tmp_path / "bench.jsonl"
    settings = few("contamination", contamination=with_benchmark(bench, "Seven times " + some_text(1, 30)))
    killed_at("sealing", corpus, settings, out, secret)
    with_benchmark(bench)
    found = run(corpus, settings, out, secret)
    assert [(1, 1)] == [(summary.items, summary.matched) for summary in found.contamination]


def test_a_corpus_that_changes_after_a_kill_is_audited_as_it_is_now(secret: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "texts", files=4, documents=20)
    settings = few("duplicates", canaries=CanarySettings(per_format=2))
    out = tmp_path / "run.audit"
    killed_at("sealing", corpus, settings, out, secret)
    (corpus / "part-000.parquet").unlink()
    pq.write_table(pa.table({"text": ["another text", some_text(2001)]}), corpus / "part-001.parquet")
    pq.write_table(pa.table({"text": ["a new text"]}), corpus / "part-009.parquet")
    fresh = run(corpus, settings, tmp_path / "fresh.audit", secret)
    assert 43 == fresh.coverage.read
    assert without_times(fresh) == without_times(run(corpus, settings, out, secret))


def test_shards_of_a_run_that_was_killed_are_read_again_only_where_they_changed(
    secret: Path, tmp_path: Path
) -> None:
    corpus = write_corpus(tmp_path / "texts", files=4, documents=20)
    out, settings = tmp_path / "run.audit", few("duplicates")
    killed_at("comparing", corpus, settings, out, secret)
    watch = Telling(lambda _: None)
    run(corpus, settings, out, secret, watch=watch)
    assert (watch.stored_bytes, watch.text_bytes) == (watch.stored_reused, watch.text_reused)
    assert 80 == watch.documents
    assert watch.remaining_s() is None
    assert 0 == watch.text_rate


def _change_at_drawing(path: Path) -> Telling:
    def change(stage: str) -> None:
        if stage == "drawing":
            data = path.read_bytes()
            path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])

    return Telling(change)


def test_a_corpus_that_changes_after_it_was_read_is_sampled_as_it_was_read(
    secret: Path, tmp_path: Path
) -> None:
    corpus = write_corpus(tmp_path / "texts", files=2, documents=20)
    settings = few("duplicates", sampling=SamplingSettings(documents=40))
    before = run(corpus, settings, tmp_path / "before.audit", secret)
    after = run(
        corpus,
        settings,
        tmp_path / "after.audit",
        secret,
        watch=_change_at_drawing(corpus / "part-001.parquet"),
    )
    assert (before.root, before.sample) == (after.root, after.sample)


def test_a_shard_that_changes_before_its_sample_is_read_again_is_refused_by_name(
    secret: Path, tmp_path: Path
) -> None:
    corpus = write_corpus(tmp_path / "texts", files=1, documents=80)
    twin = corpus / "part-001.parquet"  # of equal shards one pass is kept, and the second's sample is another
    twin.write_bytes((corpus / "part-000.parquet").read_bytes())
    settings = few("duplicates", sampling=SamplingSettings(documents=10))
    with pytest.raises(ShardChanged, match=r"part-001\.parquet"):
        run(corpus, settings, tmp_path / "run.audit", secret, watch=_change_at_drawing(twin))
    assert not (tmp_path / "run.audit").exists()


def test_a_file_that_grows_between_plan_and_reading_is_refused_by_name(secret: Path, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "one"}\n')

    def grow(stage: str) -> None:
        if stage == "reading":
            path.write_text('{"text": "one"}\n{"text": "two"}\n')

    with pytest.raises(ShardChanged, match=r"texts\.jsonl"):
        run(path, few("duplicates"), tmp_path / "run.audit", secret, watch=Telling(grow))


def test_a_worker_that_served_another_audit_in_the_same_place_knows_the_new_settings(
    corpus: Path, secret: Path, tmp_path: Path
) -> None:
    out, executor = tmp_path / "run.audit", InProcess()
    first = run(corpus, few("duplicates"), out, secret, executor=executor)
    second = run(corpus, few("pii"), out, secret, executor=executor, force=True)
    assert first.root != second.root
    assert without_times(second) == without_times(run(corpus, few("pii"), tmp_path / "b.audit", secret))


def _kill_workers() -> None:
    for pid in local_workers():
        os.kill(pid, signal.SIGKILL)


def test_workers_that_are_killed_between_all_stages_cost_time_and_nothing_else(
    corpus: Path, whole: AuditSettings, secret: Path, tmp_path: Path
) -> None:
    undisturbed = run(corpus, whole, tmp_path / "one.audit", secret)
    watch = Telling(lambda stage: _kill_workers() if stage != "one shard" else None)
    found = run(corpus, whole, tmp_path / "two.audit", secret, executor=LocalExecutor(2), watch=watch)
    assert without_times(undisturbed) == without_times(found)
    assert (undisturbed.coverage.read, undisturbed.coverage.text_bytes) == (watch.documents, watch.text_bytes)


def test_workers_that_die_at_every_try_end_the_audit_and_the_same_call_continues(
    corpus: Path, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mortal = tmp_path / "mortal"
    mortal.mkdir()
    (mortal / "sitecustomize.py").write_text(
        "import os, sys\nif 'verilabel.audit.engine.worker' in sys.orig_argv: os.kill(os.getpid(), 9)\n"
    )
    out = tmp_path / "run.audit"
    monkeypatch.setenv("PYTHONPATH", str(mortal))
    with pytest.raises(SandboxError, match="died 3 times") as refused:
        run(corpus, few("duplicates"), out, secret, executor=LocalExecutor(2))
    assert "-9" in str(refused.value)
    monkeypatch.delenv("PYTHONPATH")
    assert 164 - 3 == run(corpus, few("duplicates"), out, secret).coverage.read
    assert not work_folder(out).exists()


def test_a_secret_that_is_lost_or_another_makes_another_root_and_a_kept_one_the_same(
    corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run.audit"
    killed_at("sealing", corpus, few("duplicates"), out, None)
    kept = secret_file(out).read_bytes()
    first = run(corpus, few("duplicates"), out, None)
    assert kept == secret_file(out).read_bytes()
    again = run(corpus, few("duplicates"), out, None, force=True)
    assert without_times(first) == without_times(again)
    killed_at("sealing", corpus, few("duplicates"), tmp_path / "b.audit", None)
    secret_file(tmp_path / "b.audit").unlink()
    lost = run(corpus, few("duplicates"), tmp_path / "b.audit", None)
    assert first.root != lost.root
    assert lost.secret_id != first.secret_id
    assert load_audit(tmp_path / "b.audit").verify().manifest.root == lost.root


def test_the_manifest_of_a_kept_audit_is_the_one_that_was_returned(
    corpus: Path, secret: Path, tmp_path: Path
) -> None:
    found: AuditManifest = run(corpus, few("duplicates"), tmp_path / "run.audit", secret)
    assert found == load_audit(tmp_path / "run.audit").manifest
