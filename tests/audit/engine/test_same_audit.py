"""The same corpus gives the same audit: however it is named, cut, ordered and carried out."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from audit_corpora import some_text, write_corpus
from audit_runs import QUESTION, InProcess, few, run, with_benchmark, without_times, write_secret
from verilabel.audit.engine.local import LocalExecutor
from verilabel.audit.proof.layout import MANIFEST
from verilabel.audit.proof.manifest import AuditManifest, parse_audit_manifest
from verilabel.audit.settings import CHECKS, AuditSettings, CanarySettings, SamplingSettings


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_secret(tmp_path_factory.mktemp("secret") / "secret")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    extra = [
        f"{some_text(7)} {QUESTION} {some_text(8)}",
        "Write to ada.lovelace@" + "zzqx.net, or to +44 20 7946 0958.",
        "SPDX-License-Identifier: MIT\nCopyright (c) 2020 nobody in particular. All rights reserved.",
        "",
    ]
    folder = write_corpus(tmp_path_factory.mktemp("corpus") / "texts", files=3, documents=30, extra=extra)
    (folder / "more.jsonl").write_bytes(
        b"".join(msgspec.json.encode({"text": some_text(seed, 60)}) + b"\n" for seed in range(30))
    )
    return folder


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> AuditSettings:
    bench = with_benchmark(tmp_path_factory.mktemp("bench") / "lamps.jsonl")
    return few(
        *CHECKS,
        contamination=msgspec.structs.replace(bench, sketch=True),
        sampling=SamplingSettings(documents=25),
        canaries=CanarySettings(per_format=3),
    )


@pytest.fixture(scope="module")
def first(
    corpus: Path, settings: AuditSettings, secret: Path, tmp_path_factory: pytest.TempPathFactory
) -> AuditManifest:
    return run(corpus, settings, tmp_path_factory.mktemp("first") / "run.audit", secret)


def test_three_workers_make_the_same_manifest_as_none(
    corpus: Path, settings: AuditSettings, secret: Path, first: AuditManifest, tmp_path: Path
) -> None:
    found = run(corpus, settings, tmp_path / "run.audit", secret, executor=LocalExecutor(3))
    assert without_times(first) == without_times(found)


def test_batches_of_another_size_make_the_same_manifest(
    corpus: Path,
    settings: AuditSettings,
    secret: Path,
    first: AuditManifest,
    tmp_path: Path,
) -> None:
    found = run(corpus, settings, tmp_path / "run.audit", secret, executor=InProcess(700))
    assert without_times(first) == without_times(found)


def test_another_working_folder_and_a_relative_path_make_the_same_manifest(
    corpus: Path,
    settings: AuditSettings,
    secret: Path,
    first: AuditManifest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(corpus)
    found = run(".", settings, Path(os.path.relpath(tmp_path / "run.audit")), secret)
    assert without_times(first) == without_times(found)


def test_files_that_are_named_in_another_order_make_the_same_manifest(
    corpus: Path, secret: Path, tmp_path: Path
) -> None:
    files = sorted(corpus.iterdir())
    one = run(files, few("duplicates"), tmp_path / "one.audit", secret)
    other = run(files[::-1], few("duplicates"), tmp_path / "other.audit", secret)
    assert without_times(one) == without_times(other)


def test_folders_with_files_of_one_name_are_told_apart_in_any_order(secret: Path, tmp_path: Path) -> None:
    folders = [write_corpus(tmp_path / name / "texts", files=1, documents=9) for name in ("a", "b")]
    (folders[1] / "part-000.parquet").write_bytes(
        write_corpus(tmp_path / "c", files=2, documents=5).joinpath("part-001.parquet").read_bytes()
    )
    one = run(folders, few("duplicates"), tmp_path / "one.audit", secret)
    other = run(folders[::-1], few("duplicates"), tmp_path / "other.audit", secret)
    assert 14 == one.coverage.read
    assert without_times(one) == without_times(other)


def test_the_seed_of_pythons_hashes_changes_nothing(
    corpus: Path, settings: AuditSettings, secret: Path, first: AuditManifest, tmp_path: Path
) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import msgspec\n"
        "from audit_runs import run; from verilabel.audit.settings import AuditSettings\n"
        "settings = msgspec.json.decode(sys.argv[2], type=AuditSettings)\n"
        "run(sys.argv[3], settings, Path(sys.argv[4]), Path(sys.argv[5]))\n"
    )
    tests, out = str(Path(__file__).parents[2]), tmp_path / "run.audit"
    subprocess.run(
        [sys.executable, "-c", program, tests, msgspec.json.encode(settings).decode(), corpus, out, secret],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )
    assert without_times(first) == without_times(parse_audit_manifest((out / MANIFEST).read_bytes()))


def test_a_file_that_stands_twice_counts_twice_and_is_read_once(
    corpus: Path, secret: Path, tmp_path: Path
) -> None:
    once = write_corpus(tmp_path / "once", files=2, documents=20)
    settings = few(
        *("pii", "duplicates"),
        canaries=CanarySettings(per_format=4),
        sampling=SamplingSettings(documents=100),
    )
    alone = run(once, settings, tmp_path / "alone.audit", secret)
    (once / "part-777.parquet").write_bytes((once / "part-000.parquet").read_bytes())
    found = run(once, settings, tmp_path / "twice.audit", secret)
    assert (40, 60) == (alone.coverage.read, found.coverage.read)
    assert found.duplicates is not None
    assert alone.duplicates is not None
    assert 20 == found.duplicates.exact.copies - alone.duplicates.exact.copies
    assert sum(one.planted for one in alone.canaries) == sum(one.planted for one in found.canaries)
    assert found.sample is not None
    assert [(60, 60)] == [(one.asked, found.coverage.read) for one in found.sample.measured]


def test_csv_and_tsv_of_the_same_compressed_bytes_are_read_each_in_its_own_way(
    secret: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    data = gzip.compress(b"text,more\ttext\none,two\tthree\n", mtime=0)
    for name in ("a.csv.gz", "a.tsv.gz"):
        (folder / name).write_bytes(data)
    settings = few("duplicates", selection=msgspec.structs.replace(few().selection, columns=("text",)))
    found = run(folder, settings, tmp_path / "run.audit", secret)
    assert found.duplicates is not None
    assert (2, 0) == (found.coverage.read, found.duplicates.exact.copies)
    assert len("one") + len("three") == found.coverage.text_bytes
