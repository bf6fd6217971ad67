"""Object stores, web servers and the hub are read as files are, from real servers on this machine."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from verilabel.audit.reading.files import FileReader
from verilabel.audit.reading.interface import ShardChanged
from verilabel.audit.settings import Selection
from verilabel.errors import MalformedInput, UsageError

Read = Callable[..., Any]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _lines(*texts: str) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


@pytest.fixture
def memory(request: pytest.FixtureRequest) -> Iterator[str]:
    """A folder of a store in memory, as a URL."""
    folder = f"memory://{re.sub(r'[^a-z0-9]', '', request.node.name.lower())}"
    yield folder
    fsspec.filesystem("memory").store.clear()


def _put(url: str, data: bytes) -> str:
    fsspec.filesystem("memory").pipe_file(url.removeprefix("memory://"), data)
    return url


class Served(ThreadingHTTPServer):
    """A web server of a few files, with ranges or without."""

    files: dict[str, bytes]
    ranges: bool
    requests: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: Served
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        self.server.requests.append(self.path)
        data = self.server.files.get(unquote(urlsplit(self.path).path))
        status = 404 if data is None else 200
        data = b"not here" if data is None else data
        headers = {"ETag": f'"{hash(data)}"', "X-Repo-Commit": COMMIT}
        if self.path.startswith("/api/"):
            headers["Content-Type"] = "application/json"
        if self.server.ranges:
            headers["Accept-Ranges"] = "bytes"
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if asked and status == 200:
                start, end = int(asked[1]), int(asked[2] or len(data) - 1)
                headers["Content-Range"] = f"bytes {start}-{min(end, len(data) - 1)}/{len(data)}"
                data, status = data[start : end + 1], 206
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)


@pytest.fixture(params=[True, False], ids=["ranges", "no ranges"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    yield from _serve(request.param)


@pytest.fixture
def hub() -> Iterator[Served]:
    yield from _serve(True)


def _serve(ranges: bool) -> Iterator[Served]:
    server = Served(("127.0.0.1", 0), _Handler)
    server.files, server.ranges, server.requests = {}, ranges, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def _url(server: Served, path: str) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


def test_a_folder_of_a_store_is_read_like_one_of_this_machine(
    memory: str, tmp_path: Path, read: Read
) -> None:
    (tmp_path / "b").mkdir()
    files = {
        "a.jsonl": _lines("a"),
        "b/c.csv": b"text\nc\n",
        "d.txt": b"d",
        "e.jsonl.gz": gzip.compress(_lines("e")),
    }
    for name, data in files.items():
        _put(f"{memory}/{name}", data)
        (tmp_path / name).write_bytes(data)
    remote, local = read(memory), read(tmp_path)
    assert local.names == remote.names
    assert local.texts == remote.texts
    assert local.digests == remote.digests
    assert local.stored == remote.stored


def test_parts_of_remote_files_are_copied_alone(memory: str, tmp_path: Path, read: Read) -> None:
    _put(f"{memory}/a.jsonl", _lines(*[f"line {number}" for number in range(500)]))
    path = tmp_path / "b.parquet"
    pq.write_table(
        pa.table({"text": [f"row {number} " * 30 for number in range(500)]}), path, row_group_size=50
    )
    _put(f"{memory}/b.parquet", path.read_bytes())
    whole, cut = read(memory), read(memory, shard_bytes=2_000)
    assert 2 == len(whole.shards)
    assert len(cut.shards) > 5
    assert whole.texts == cut.texts
    local = read(path, shard_bytes=2_000)
    assert local.digests == [d for d, s in zip(cut.digests, cut.shards, strict=True) if s.form == "parquet"]


def test_a_pattern_finds_files_of_a_store(memory: str, read: Read) -> None:
    _put(f"{memory}/x/a.jsonl", _lines("a"))
    _put(f"{memory}/y/b.jsonl", _lines("b"))
    _put(f"{memory}/y/c.txt", b"c")
    assert ["x/a.jsonl", "y/b.jsonl"] == read(f"{memory}/*/*.jsonl").names
    assert ["a.jsonl"] == read(f"{memory}/x/a.jsonl").names


def test_a_remote_file_that_changes_or_goes_is_refused(memory: str) -> None:
    url = _put(f"{memory}/a.jsonl", _lines("a", "b"))
    reader = FileReader()
    (shard,) = reader.plan([url], Selection())
    _put(url, _lines("a", "b", "c"))
    with pytest.raises(ShardChanged), reader.open(shard, Selection()):
        pass
    fsspec.filesystem("memory").rm(url.removeprefix("memory://"))
    with pytest.raises(ShardChanged, match="is gone"), reader.open(shard, Selection()):
        pass


def test_damage_of_remote_files_is_told_as_that_of_others(memory: str, tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a"]}), path)
    _put(f"{memory}/a.parquet", path.read_bytes()[:-9])
    _put(f"{memory}/b.jsonl.gz", gzip.compress(_lines("a") * 1000)[:-9])
    with pytest.raises(MalformedInput, match="broken Parquet footer"):
        read(f"{memory}/a.parquet")
    found = read(memory)
    assert {"broken Parquet footer", "broken gzip member"} == set(found.reasons)
    assert 999 <= len(found.texts)


def test_columns_of_remote_files_are_looked_for(memory: str, read: Read) -> None:
    _put(f"{memory}/a.jsonl", b'{"title": "x"}\n')
    with pytest.raises(MalformedInput, match="no column is called text"):
        read(memory)


@pytest.mark.parametrize(
    "url",
    [
        "nothing-known://x/y",
        "memory://no-such-folder/x",
        "simplecache::memory://a",
        "https://127.0.0.1:1/a.jsonl",
    ],
)
def test_a_url_that_cannot_be_read_is_an_error(url: str, read: Read) -> None:
    with pytest.raises(UsageError):
        read(url)


def test_a_file_url_is_a_file(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.jsonl").write_bytes(_lines("a"))
    found = read(f"file://{tmp_path}/a.jsonl")
    assert ([b"a"], ["a.jsonl"]) == (found.texts, found.names)


def test_files_of_a_web_server_are_read(served: Served, tmp_path: Path, read: Read) -> None:
    path = tmp_path / "b.parquet"
    pq.write_table(pa.table({"text": [f"row {number}" for number in range(100)]}), path, row_group_size=10)
    served.files = {
        "/x/a.jsonl": _lines(*[f"line {number}" for number in range(100)]),
        "/x/b.parquet": path.read_bytes(),
        "/x/c.jsonl.gz": gzip.compress(_lines("c")),
    }
    urls = [_url(served, name) for name in served.files]
    found = read(*urls)
    expected = [f"line {n}" for n in range(100)] + [f"row {n}" for n in range(100)] + ["c"]
    assert [text.encode() for text in expected] == found.texts
    assert ["a.jsonl", "b.parquet", "c.jsonl.gz"] == found.names
    assert found.texts == read(*urls, shard_bytes=600).texts
    with pytest.raises(UsageError, match="there is no such file"):
        read(_url(served, "/x/missing.jsonl"))


def _serve_hub(hub: Served, files: dict[str, bytes]) -> None:
    """The few answers of the hub that listing and reading a data set take."""
    info = {"_id": "1", "id": "org/name", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
    tree = [
        {"type": "file", "oid": "0" * 40, "size": len(data), "path": name} for name, data in files.items()
    ]
    folders = sorted({name.rpartition("/")[0] for name in files} - {""})
    tree += [{"type": "directory", "oid": "1" * 40, "size": 0, "path": name} for name in folders]
    answers = {"": info, "/revision/main": info, f"/revision/{COMMIT}": info, "/revision/v1": info}
    hub.files = {f"/api/datasets/org/name{path}": json.dumps(said).encode() for path, said in answers.items()}
    for folder in ("", *folders):
        below = [
            one
            for one in tree
            if one["path"].startswith(f"{folder}/" if folder else "") and one["path"] != folder
        ]
        hub.files[f"/api/datasets/org/name/tree/{COMMIT}{'/' + folder if folder else ''}"] = json.dumps(
            below
        ).encode()
    for name, data in files.items():
        hub.files[f"/datasets/org/name/resolve/{COMMIT}/{name}"] = data
        hub.files[f"/api/datasets/org/name/paths-info/{COMMIT}"] = json.dumps(tree).encode()


def _hub_script() -> str:
    return """
import sys
from verilabel.audit.reading.files import FileReader
from verilabel.audit.settings import Selection
from verilabel.errors import VerilabelError
reader = FileReader()
try:
    for shard in reader.plan(sys.argv[1:], Selection()):
        with reader.open(shard, Selection()) as reading:
            texts = [batch.text(place).decode() for batch in reading.batches() for place in range(len(batch))]
        print(shard.name, *texts)
except VerilabelError as error:
    print(type(error).__name__, error.message)
"""


@pytest.mark.parametrize("given", ["hub:org/name@v1", "hf://datasets/org/name"])
def test_a_data_set_of_the_hub_is_read_at_one_commit(given: str, hub: Served, tmp_path: Path) -> None:
    card = b"---\nconfigs:\n- data_files: data/*.jsonl\n---\n# A card\n"
    _serve_hub(hub, {"README.md": card, "data/a.jsonl": _lines("a", "b"), "other.jsonl": _lines("no")})
    assert [f"org/name@{COMMIT}/data/a.jsonl a b"] == _run_hub(hub, given, tmp_path)


def test_a_data_set_that_is_not_there_is_an_error(hub: Served, tmp_path: Path) -> None:
    assert ["UsageError"] == [line.split()[0] for line in _run_hub(hub, "hub:org/missing", tmp_path)]


def _run_hub(hub: Served, given: str, folder: Path) -> list[str]:
    """In a process of its own: the library reads the address of the hub when it is imported."""
    import os
    import subprocess
    import sys

    environment = {
        **os.environ,
        "HF_ENDPOINT": _url(hub, ""),
        "HF_HOME": str(folder),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", _hub_script(), given],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "" == "".join(line for line in done.stderr.splitlines(True) if "Error" in line), done.stderr
    return done.stdout.splitlines()
