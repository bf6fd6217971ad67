"""What a worker needs to read a shard is bounded, whatever the shard holds."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

MOST = 600
"""MiB of memory of the whole process, with everything that it has imported (some 200 of them)."""
_SCRIPT = """
import sys
from pathlib import Path
from verilabel.audit.reading.files import FileReader
from verilabel.audit.settings import Selection
reader = FileReader()
status = Path("/proc/self/status")
for given in sys.argv[1:]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    documents = 0
    reasons = []
    for shard in reader.plan([given], Selection()):
        with reader.open(shard, Selection()) as reading:
            for batch in reading.batches():
                documents += len(batch)
            reasons += [one.reason for one in reading.unread]
    peak = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    print(Path(given).parent.name, int(peak) // 1024, documents, *sorted(set(reasons)), sep="|")
"""


def _bomb(path: Path, *parts: tuple[bytes, int]) -> Path:
    """A small file that becomes large."""
    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    with path.open("wb") as file:
        for piece, times in parts:
            block = piece * max(1, 2**20 // len(piece))
            count = times * len(piece)
            while count > 0:
                file.write(compressor.compress(block[:count]))
                count -= len(block)
        file.write(compressor.flush())
    return path


def _long_line(folder: Path) -> Path:
    line = ((b'{"text": "', 1), (b"a", 500 * 2**20), (b'"}\n', 1))
    return _bomb(folder / "a.jsonl.zst", (b'{"text": "x"}\n', 1), *line, (b'{"text": "y"}', 1))


def _lines_at_the_limit(folder: Path) -> Path:
    line = ((b'{"text": "', 1), (b"\\ud83d\\ude00\\n", 4 * 2**20), (b'"}\n', 1))
    return _bomb(folder / "a.jsonl.zst", *line, *line)


def _damaged_line(folder: Path) -> Path:
    line = ((b'{"text": "', 1), (b"\xff\xfe", 30 * 2**20), (b'"}\n', 1))
    return _bomb(folder / "a.jsonl.zst", (b'{"text": "x"}\n', 1), *line)


def _nested_bomb(folder: Path) -> Path:
    line = ((b'{"text": "x", "\\u0061": [', 1), (b"{},", 20 * 2**20), (b"{}]}\n", 1))
    return _bomb(folder / "a.jsonl.zst", (b'{"text": "x"}\n', 1), *line)


def _empty_documents(folder: Path) -> Path:
    return _bomb(folder / "a.jsonl.zst", (b'{"text":""}\n', 300_000))


def _open_quote(folder: Path) -> Path:
    return _bomb(folder / "a.csv.zst", (b'text\nx\n"', 1), (b"a\n", 50 * 2**20))


def _long_text(folder: Path) -> Path:
    return _bomb(folder / "a.txt.zst", (b"words ", 20 * 2**20))


def _long_record(folder: Path) -> Path:
    head = b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: %d\r\n\r\n" % (100 * 2**20)
    return _bomb(folder / "a.warc.zst", (head, 1), (b"a", 100 * 2**20), (b"\r\n\r\n", 1))


def _encoded_bomb(folder: Path) -> Path:
    body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n"
    body += gzip.compress(b"\xe4\xe4" * (50 * 2**20), 1)
    head = (
        b"WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http\r\nContent-Length: %d\r\n\r\n"
        % len(body)
    )
    (folder / "a.warc").write_bytes(head + body + b"\r\n\r\n")
    return folder / "a.warc"


def _large_cells(folder: Path) -> Path:
    path = folder / "a.parquet"
    with pq.ParquetWriter(
        path, pa.schema([("text", pa.string())]), compression="zstd", use_dictionary=False
    ) as file:
        for megabytes in (1, 60, 135, 1):
            file.write_table(pa.table({"text": ["a" * (megabytes * 2**20)]}))
    return path


def _pointed_at(folder: Path) -> Path:
    path = folder / "a.parquet"
    pq.write_table(pa.table({"text": pa.array(["b" * (4 * 2**20)] * 60)}), path, compression="zstd")
    return path


_CASES: dict[str, tuple[Callable[[Path], Path], int, list[str]]] = {
    "a line of 500 MB": (_long_line, 2, ["longer than the limit"]),
    "escapes at the limit": (_lines_at_the_limit, 2, []),
    "a damaged line at the limit": (_damaged_line, 1, ["too large to parse"]),
    "a line of objects": (_nested_bomb, 1, ["too large to parse"]),
    "empty documents": (_empty_documents, 300_000, []),
    "a quote that swallows the rest": (_open_quote, 1, ["quote that is not closed"]),
    "a long text": (_long_text, 0, ["longer than the limit"]),
    "a long record": (_long_record, 0, ["longer than the limit"]),
    "a page that grows": (_encoded_bomb, 0, ["longer than the limit"]),
    "cells of Parquet": (_large_cells, 3, ["Parquet page longer than the limit"]),
    "rows that point at one text": (_pointed_at, 60, []),
}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are counted by Linux alone")
def test_memory_stays_bounded_whatever_a_shard_holds(tmp_path: Path) -> None:
    paths = []
    for name, (make, _, _) in _CASES.items():
        (tmp_path / name).mkdir()
        paths.append(str(make(tmp_path / name)))
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *paths], capture_output=True, text=True, check=False
    )
    assert "" == done.stderr
    measured = {name: rest for name, *rest in (line.split("|") for line in done.stdout.splitlines())}
    expected = {name: (documents, reasons) for name, (_, documents, reasons) in _CASES.items()}
    assert expected == {name: (int(count), reasons) for name, (_, count, *reasons) in measured.items()}
    assert {} == {name: peak for name, (peak, *_) in measured.items() if int(peak) >= MOST}
