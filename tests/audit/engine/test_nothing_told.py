"""What an audit keeps to itself: no text of the corpus in its result, its secret nowhere but in its own file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from audit_corpora import some_text, write_corpus
from audit_runs import (
    KEY,
    QUESTION,
    InProcess,
    Telling,
    few,
    local_workers,
    run,
    with_benchmark,
    write_secret,
)
from verilabel.audit.engine.local import LocalExecutor
from verilabel.audit.engine.work import secret_file, work_folder
from verilabel.audit.engine.worker import trouble_of
from verilabel.audit.settings import CHECKS, CanarySettings, SamplingSettings

MARKER = "vexingquillbramble"
MAILBOX = "zephyrine.oakhollow"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    near = [
        f"{MARKER} {MAILBOX}@" + f"zzqx.net {MARKER} {some_text(40)}",
        f"{some_text(41)} {MARKER} {QUESTION} {MARKER} {some_text(42)}",
        f"{MARKER}\nCopyright (c) 2020 {MARKER}. All rights reserved by {MARKER}.",
        f"{MARKER} " * 400,
    ]
    return write_corpus(tmp_path / "texts", files=2, documents=20, extra=near)


def _everything(folder: Path) -> Iterator[bytes]:
    """All bytes of all files, and of what Parquet has packed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield repr(table.schema).encode()
            for column in table.columns:
                for chunk in column.chunks:
                    yield from (bytes(buffer) for buffer in chunk.buffers() if buffer is not None)


def test_no_text_of_the_corpus_is_in_the_result(corpus: Path, tmp_path: Path) -> None:
    bench = with_benchmark(tmp_path / "lamps.jsonl")
    settings = few(
        *CHECKS,
        contamination=msgspec.structs.replace(bench, sketch=True),
        sampling=SamplingSettings(documents=50),
        canaries=CanarySettings(per_format=3),
    )
    out = tmp_path / "run.audit"
    found = run(corpus, settings, out, write_secret(tmp_path / "secret"))
    totals = {total.kind: total.documents for total in found.totals}
    assert (1, 1) == (totals["pii.email"], totals["contamination.item"])
    for content in _everything(out):
        for word in (MARKER, MAILBOX, "oakhollow", "gulls that sleep", str(tmp_path)):
            assert word.encode() not in content.lower()
        assert KEY not in content
        assert KEY.hex().encode() not in content


def test_the_work_folder_and_the_secret_are_their_owners_alone_at_every_stage(
    corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run.audit"
    work_folder(out).mkdir(mode=0o777)
    seen: dict[str, set[int]] = {}

    def look(stage: str) -> None:
        seen.setdefault("work", set()).add(stat.S_IMODE(work_folder(out).stat().st_mode))
        for path in (work_folder(out) / "secret", secret_file(out)):
            if path.exists():
                seen.setdefault(path.name, set()).add(stat.S_IMODE(path.stat().st_mode))

    before = os.umask(0)
    try:
        run(corpus, few("duplicates"), out, None, watch=Telling(lambda s: look(s) if s != "done" else None))
    finally:
        os.umask(before)
    assert {"work": {0o700}, "secret": {0o600}, "run.audit.secret": {0o600}} == seen
    assert {"run.audit", "run.audit.secret", "texts"} == {path.name for path in tmp_path.iterdir()}


def test_a_worker_is_told_no_secret_in_its_arguments_or_environment(corpus: Path, tmp_path: Path) -> None:
    told: list[bytes] = []

    def look(stage: str) -> None:
        if stage == "one shard":
            for pid in local_workers():
                told.extend(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))

    secret = write_secret(tmp_path / "secret")
    executor = LocalExecutor(1)
    run(corpus, few("duplicates"), tmp_path / "run.audit", secret, executor=executor, watch=Telling(look))
    assert any(b"verilabel.audit.engine.worker" in words for words in told)
    assert not any(KEY.hex().encode() in words for words in told)


def test_a_workers_error_that_nobody_foresaw_is_told_without_its_words() -> None:
    try:
        raise ValueError(f"cannot parse {MARKER}")
    except ValueError as error:
        told = msgspec.json.encode(trouble_of(error)).decode()
    assert MARKER not in told
    assert "ValueError at " in told


def test_a_shard_that_cannot_be_kept_leaves_nothing_half_done(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.audit"

    def block(stage: str) -> None:
        if stage == "reading":
            (work_folder(out) / "map").write_text("a file where a folder must be")

    with pytest.raises(OSError):
        run(corpus, few("duplicates"), out, None, executor=InProcess(), watch=Telling(block))
    assert not out.exists()
    (work_folder(out) / "map").unlink()
    assert 44 == run(corpus, few("duplicates"), out, None).coverage.read
