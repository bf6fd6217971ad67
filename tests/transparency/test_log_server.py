"""A served log, as a process: what it answers is durable, static, and checked by anybody."""

from __future__ import annotations

import gzip
import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from transparency.small_logs import LOG_KEY, TOKEN, Served, entry, log_server, make_log, serving
from verilabel.errors import UsageError, VerilabelError
from verilabel.evidence.log import LocalLog
from verilabel.evidence.merkle import root_at
from verilabel.evidence.note import open_checkpoint, open_proof
from verilabel.transparency.fetching import HttpTiles, send_request
from verilabel.transparency.remote import RemoteLog
from verilabel.transparency.tiles import TileNodes, TilePath, bundles_of, decode_entries, read_entries

JSON = {"Content-Type": "application/json"}


def post(url: str, body: bytes, headers: Mapping[str, str] = JSON) -> tuple[int, bytes]:
    answer = send_request(f"{url}/add", body=body, headers=headers)
    return answer.status, answer.body


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served log that has 260 entries at first."""
    folder = make_log(tmp_path_factory.mktemp("served") / "log", range(260))
    with log_server(folder) as server:
        yield server


def test_an_entry_is_answered_with_a_proof_that_anyone_checks(served: Served) -> None:
    status, body = post(served.url, entry("first").bytes())
    assert 200 == status
    opened = open_proof(body, entry("first").leaf, [LOG_KEY.public])
    assert opened.index == opened.checkpoint.size - 1 >= 260


def test_the_log_is_served_as_tiles_that_give_the_signed_root(served: Served) -> None:
    source = HttpTiles(served.url)
    checkpoint = open_checkpoint(source.checkpoint(), [LOG_KEY.public]).checkpoint
    assert checkpoint.root == root_at(TileNodes(source, checkpoint.size), checkpoint.size)
    assert LOG_KEY.public == source.key()
    first = next(bundles_of(checkpoint.size))
    assert [entry(n).bytes() for n in range(256)] == read_entries(source, first)


def test_tiles_may_be_cached_for_ever_and_checkpoints_not(served: Served) -> None:
    for path, kind, caching in (
        ("tile/0/000", "application/octet-stream", "immutable"),
        ("tile/0/001.p/4", "application/octet-stream", "immutable"),
        ("tile/entries/001.p/1", "application/octet-stream", "immutable"),
        ("checkpoint", "text/plain; charset=utf-8", "no-cache"),
    ):
        with urllib.request.urlopen(f"{served.url}/{path}") as response:
            assert (kind, True) == (
                response.headers["Content-Type"],
                caching in response.headers["Cache-Control"],
            )


def test_entry_bundles_are_compressed_for_who_asks(served: Served) -> None:
    request = urllib.request.Request(f"{served.url}/tile/entries/000", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request) as response:
        assert "gzip" == response.headers["Content-Encoding"]
        packed = response.read()
    assert [entry(n).bytes() for n in range(256)] == decode_entries(
        gzip.decompress(packed), 256, where="bundle"
    )


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/009",
        "tile/0/001",
        "tile/2/000.p/1",
        "tile/0/1",
        "tile/entries/../../log.sqlite",
        "nothing",
        "",
    ],
)
def test_what_the_log_does_not_have_is_not_found(served: Served, path: str) -> None:
    assert 404 == send_request(f"{served.url}/{path}").status


def test_what_is_no_entry_is_refused_and_changes_nothing(served: Served) -> None:
    before = HttpTiles(served.url).checkpoint()
    good = entry("x").bytes()
    for body, headers, status in (
        (b"", JSON, 400),
        (b"{}", JSON, 400),
        (b"not json", JSON, 400),
        (good + b"\n", JSON, 400),
        (good.replace(b"plan", b"else"), JSON, 400),
        (good.replace(b'"sha256:', b'"sha256:0'), JSON, 400),
        (b"[" * 4000, JSON, 400),
        (b" " * 5000, JSON, 413),
        (good, {"Content-Type": "text/plain"}, 415),
        (good, {**JSON, "Host": "labels.example.org"}, 403),
        (good, {**JSON, "Host": "127.0.0.1.example.org"}, 403),
    ):
        assert status == post(served.url, body, headers)[0], (body[:40], headers)
    assert 405 == send_request(f"{served.url}/add").status
    assert before == HttpTiles(served.url).checkpoint()


def test_a_flood_of_bad_requests_costs_nobody_an_entry(served: Served) -> None:
    bodies = [b"{}", b"x" * 4000, entry("x").bytes()[:-1], b"\xff" * 100] * 50
    with ThreadPoolExecutor(8) as pool:
        bad = pool.map(lambda body: post(served.url, body)[0], bodies)
        good = [post(served.url, entry(f"amid {number}").bytes())[0] for number in range(5)]
        assert {400} == set(bad)
    assert [200] * 5 == good


def test_writers_at_once_get_an_entry_each(served: Served) -> None:
    names = [f"writer {number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda name: post(served.url, entry(name).bytes()), names))
    assert {200} == {status for status, _ in answers}
    opened = [
        open_proof(body, entry(name).leaf, [LOG_KEY.public])
        for name, (_, body) in zip(names, answers, strict=True)
    ]
    assert 40 == len({proof.index for proof in opened})


def test_a_token_is_asked_for_where_one_is_set(tmp_path: Path) -> None:
    folder = make_log(tmp_path / "log", range(2))
    with log_server(folder, "--token-env", "T", environ={"T": TOKEN}) as server:
        for headers in (
            JSON,
            {**JSON, "Authorization": f"Bearer {TOKEN}x"},
            {**JSON, "Authorization": f"Basic {TOKEN}"},
            {**JSON, "Authorization": "Bearer ü"},
        ):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                encoded = {name: value.encode("utf-8") for name, value in headers.items()}
                urllib.request.urlopen(
                    urllib.request.Request(f"{server.url}/add", data=entry("x").bytes(), headers=encoded)  # type: ignore[arg-type]
                )
        right = {**JSON, "Authorization": f"Bearer {TOKEN}", "Host": "log.example.org"}
        assert 200 == post(server.url, entry("x").bytes(), right)[0], "with a token, behind any name"
        assert 200 == send_request(f"{server.url}/checkpoint").status, "reading is for everybody"
        with RemoteLog.open(server.url, token=TOKEN, state=tmp_path / "state", tell=print) as log:
            assert 3 == log.append(entry("y")).index
        with (
            RemoteLog.open(server.url, state=tmp_path / "state", tell=print) as log,
            pytest.raises(UsageError, match="takes no entries from you") as caught,
        ):
            log.append(entry("z"))
        assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--host", "0.0.0.0"], "off loopback, anybody could write"),
        (["--token-env", "UNSET_VARIABLE"], "holds no token"),
        (["--origin", "another.example.org"], "this log is named log.example.org, for good"),
        (["--witness", "https://w.example.net"], "named by its address and its key"),
        (["--witness", f"https://w.example.net={LOG_KEY.public.line}"], "cosignature key"),
    ],
)
def test_a_server_that_should_not_run_does_not_start(
    tmp_path: Path, options: list[str], complaint: str
) -> None:
    make_log(tmp_path / "log", range(2))
    with pytest.raises(AssertionError, match=complaint), log_server(tmp_path / "log", *options):
        pytest.fail("it runs")


def test_what_was_answered_before_a_kill_is_in_the_log(tmp_path: Path) -> None:
    folder = make_log(tmp_path / "log", [])
    answered: dict[int, str] = {}
    with log_server(folder) as server:

        def write(name: str) -> None:
            try:
                for number in range(1000):
                    status, body = post(server.url, entry(f"{name}/{number}").bytes())
                    assert 200 == status
                    proof = open_proof(body, entry(f"{name}/{number}").leaf, [LOG_KEY.public])
                    answered[proof.index] = f"{name}/{number}"
                    if len(answered) >= 30:
                        server.kill()
            except VerilabelError:
                return  # the server is gone

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, "abcd"))
    assert len(answered) >= 30
    with LocalLog.open(folder, LOG_KEY) as log:
        stored = {item.number: item.entry for item in log.entries()}
        log.append(entry("afterwards"))
        log.audit()
    assert {number: entry(name) for number, name in answered.items()} == {n: stored[n] for n in answered}


def test_a_server_and_other_programs_may_write_to_one_log(tmp_path: Path) -> None:
    folder = make_log(tmp_path / "log", range(3))
    with log_server(folder) as server:
        for number in range(5):
            assert 200 == post(server.url, entry(f"remote {number}").bytes())[0]
            with LocalLog.open(folder, LOG_KEY) as log:
                log.append(entry(f"local {number}"))
        checkpoint = open_checkpoint(HttpTiles(server.url).checkpoint(), [LOG_KEY.public]).checkpoint
    with LocalLog.open(folder) as log:
        audit = log.audit()
    assert (13, audit.root) == (checkpoint.size, checkpoint.root.hex())


def test_a_log_that_was_changed_signs_nothing_more_and_tells_its_keeper_alone(tmp_path: Path) -> None:
    folder = make_log(tmp_path / "log", range(5))
    with log_server(folder) as server:
        connection = sqlite3.connect(folder / "log.sqlite")
        connection.execute("UPDATE nodes SET hash = zeroblob(32) WHERE level = 2")
        connection.commit()
        connection.close()
        before = HttpTiles(server.url).checkpoint()
        status, body = post(server.url, entry("x").bytes())
        assert (500, False) == (status, str(tmp_path).encode() in body)
        assert before == HttpTiles(server.url).checkpoint()
        server.process.terminate()
        assert server.process.stderr is not None
        assert "the stored tree is not the one of the last checkpoint" in server.process.stderr.read()


def test_a_log_and_its_key_are_made_where_there_are_none(tmp_path: Path) -> None:
    with serving("log", "serve", "--log", str(tmp_path / "new"), "--origin", "new.example.org/log") as server:
        key = HttpTiles(server.url).key()
        assert "new.example.org/log" == key.name
        _, body = post(server.url, entry("x").bytes())
        assert 0 == open_proof(body, entry("x").leaf, [key]).index


def test_a_tile_is_named_alike_by_client_and_server(served: Served) -> None:
    assert 8192 == len(HttpTiles(served.url).tile(TilePath(0, 0)))
    assert json.loads(entry(0).bytes()) == json.loads(
        read_entries(HttpTiles(served.url), TilePath("entries", 0, 1))[0]
    )
