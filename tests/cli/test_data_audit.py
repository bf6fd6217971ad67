"""`verilabel data audit` with bad inputs and bad luck: what it refuses, what it counts, and how it goes on."""

from __future__ import annotations

import gzip
import importlib
import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit_corpora import some_text, write_corpus
from audit_runs import local_workers, write_secret
from verilabel.audit.api import load_audit
from verilabel.cli import main

FEW = ("--check", "duplicates", "--sample", "0", "--canaries", "0", "--workers", "1", "--unsigned")
END_S = 120.0
COMMAND = (sys.executable, "-m", "verilabel", "data", "audit")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a small corpus."""
    monkeypatch.chdir(tmp_path)
    write_corpus(tmp_path / "texts", files=2, documents=10)
    return tmp_path


def _unread(out: Path) -> dict[str, list[tuple[int, str, int]]]:
    """Shard to its unread rows."""
    audit = load_audit(out)
    names = [json.loads(line)["shard"]["name"] for line in (out / "shards.jsonl").read_text().splitlines()]
    found: dict[str, list[tuple[int, str, int]]] = {}
    for index, name in enumerate(names):
        rows = pq.read_table(out / f"shards/{index:07d}/unread.parquet").to_pylist()
        if rows:
            found[name] = [(row["row"], row["reason"], row["count"]) for row in rows]
    assert audit.manifest.coverage.shards == len(names)
    return found


def _write_bad_corpus(folder: Path) -> None:
    write_corpus(folder, files=1, documents=10)
    whole = (folder / "part-000.parquet").read_bytes()
    (folder / "copy.parquet").write_bytes(whole)
    (folder / "cut.parquet").write_bytes(whole[:-20])
    pq.write_table(pa.table({"text": pa.array([None, "one", None], pa.string())}), folder / "holes.parquet")
    pq.write_table(pa.table({"text": pa.array([None, None], pa.string())}), folder / "null.parquet")
    lines = b"".join(json.dumps({"text": some_text(seed, 30)}).encode() + b"\n" for seed in range(4))
    good = gzip.compress(lines, mtime=0)
    (folder / "torn.jsonl.gz").write_bytes(good + good[: len(good) // 2])
    (folder / "bytes.jsonl").write_bytes(b'{"text": "caf\xe9"}\n{"text": 7}\nnot json\n{"text": "fine"}\n')
    (folder / "notes.txt").write_bytes(b"caf\xe9 au lait")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.txt")).write_bytes(b"a name that is no text")
    (folder / "bad\x1b[31m\nname\u202e.txt").write_text("a name of another kind")


def test_everything_that_cannot_be_read_is_counted_and_named(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_bad_corpus(here / "bad")
    assert 0 == main(["data", "audit", "bad", *FEW, "--quiet", "--json", "--out", "run.audit"])
    printed = capsys.readouterr()
    assert "" == printed.err
    coverage = json.loads(printed.out)["coverage"]
    read = 10 + 10 + 1 + 4 + 2 + 2
    assert read <= coverage["read"] <= read + 3  # of the torn member some lines may be whole
    assert coverage["rows"] == coverage["read"] + coverage["unread"]
    assert 2 == coverage["unknown"]
    unread = _unread(here / "run.audit")
    assert [(0, "no text", 1), (2, "no text", 1)] == [
        (row, "no text", count) for row, _, count in unread["holes.parquet"]
    ]
    assert [(0, 2)] == [(row, count) for row, _, count in unread["null.parquet"]]
    assert [1, 2] == [row for row, _, _ in unread["bytes.jsonl"]]
    assert {"holes.parquet", "null.parquet", "bytes.jsonl", "cut.parquet", "torn.jsonl.gz"} < set(unread)
    assert 6 == len(unread), "and the group of texts, with the name that is no text"
    assert load_audit("run.audit").verify().manifest.coverage.read == coverage["read"]


def test_names_and_reasons_reach_the_terminal_without_their_control_characters(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "bad\x1b[31m\nerror: forged\u202e.parquet"
    (here / name).write_bytes(b"PAR1 and nothing")
    assert 3 == main(["data", "audit", name, *FEW, "--out", "run.audit"])
    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert not any(line.startswith("error: forged") for line in shown.splitlines())


REFUSED: list[tuple[str, Sequence[str], int, str]] = [
    ("no such input", ("nowhere",), 2, "no such file or folder"),
    ("an empty folder", ("empty",), 3, "empty"),
    ("nothing that can be read", ("unreadable.jsonl",), 3, "unreadable.jsonl"),
    ("only empty columns", ("null.parquet",), 3, "not one document could be read"),
    ("a column that is no text", ("numbers.parquet",), 3, "not text"),
    ("no such column", ("texts", "--column", "body"), 3, "body"),
    ("a result that is there", ("texts", "--out", "texts"), 2, "something here already"),
    ("a result that is a file", ("texts", "--out", "file"), 2, "something here already"),
    ("a result that is a broken link", ("texts", "--out", "link"), 2, "something here already"),
    ("force over what is no audit", ("texts", "--out", "empty", "--force"), 2, "only an audit is replaced"),
    ("force over the corpus", ("texts", "--out", "texts", "--force"), 2, "only an audit is replaced"),
    ("force over a file", ("texts", "--out", "file", "--force"), 2, "only an audit is replaced"),
    ("a result without a folder", ("texts", "--out", "no/run.audit"), 2, "no such folder"),
    ("a result without a name", ("texts", "--out", ".", "--force"), 2, "cannot have this name"),
    ("a result below", ("texts", "--out", "texts/run.audit"), 2, "would lie in what is audited"),
    ("a result below a link", ("same", "--out", "texts/run.audit"), 2, "would lie in what is audited"),
    ("the secret as an input", ("texts", "key.txt", "--secret", "key.txt"), 2, "own secret"),
    ("nothing to resume", ("texts", "--resume"), 2, "nothing to continue"),
    ("no such secret", ("texts", "--secret", "nowhere"), 2, "no such secret"),
    ("a secret that is none", ("texts", "--secret", "file"), 3, "not a secret"),
    ("no workers", ("texts", "--workers", "0"), 2, "less than one worker"),
    ("another engine", ("texts", "--engine", "spark"), 2, "no engine"),
    ("a confidence of one", ("texts", "--confidence", "1"), 3, "confidence"),
    ("a confidence in words", ("texts", "--confidence", "high"), 3, "confidence"),
    ("too many canaries", ("texts", "--canaries", "100000000"), 2, "canaries"),
    ("fewer than no canaries", ("texts", "--canaries", "-1"), 2, "canaries"),
    ("a limit beyond memory", ("texts", "--max-document-bytes", "99999999999"), 2, "max_document_bytes"),
    ("a country that is none", ("texts", "--check", "pii", "--region", "QQ"), 2, "QQ"),
    ("no such benchmark", ("texts", "--check", "contamination", "--bench", "nowhere/x"), 2, "nowhere/x"),
    ("a benchmark nobody looks for", ("texts", "--bench", "x"), 2, "--check contamination"),
    ("no such judge", ("texts", "--sample", "5", "--judge", "nobody"), 2, "nobody"),
    ("an empty name", ("",), 2, "empty name"),
]


@pytest.fixture
def odd(here: Path) -> Path:
    """Inputs that are refused."""
    (here / "empty").mkdir()
    (here / "unreadable.jsonl").write_text("no\nlines\nof json\n")
    pq.write_table(pa.table({"text": pa.array([None, None], pa.string())}), here / "null.parquet")
    pq.write_table(pa.table({"text": [1, 2]}), here / "numbers.parquet")
    (here / "file").write_text("a file")
    (here / "link").symlink_to("nowhere")
    (here / "same").symlink_to("texts")
    write_secret(here / "key.txt")
    return here


@pytest.mark.parametrize(
    ("arguments", "status", "words"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_cannot_be_carried_out_is_refused_in_words_with_its_status_and_nothing_is_lost(
    odd: Path, arguments: Sequence[str], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(str(path) for path in odd.rglob("*"))
    given = ["data", "audit", "--json", *FEW, "--quiet", "--out", "run.audit", *arguments]
    assert status == main(given)
    printed = capsys.readouterr()
    assert "" == printed.out
    told = json.loads(printed.err)
    assert words in f"{told['message']} {told['where']} {told['hint']}"
    after = [str(path) for path in odd.rglob("*") if ".audit." not in str(path)]
    assert before == sorted(after)


def test_force_replaces_an_audit(here: Path) -> None:
    assert 0 == main(["data", "audit", "texts", *FEW, "--quiet", "--out", "run.audit"])
    first = load_audit("run.audit").manifest
    write_corpus(here / "texts", files=3, documents=10)
    assert 2 == main(["data", "audit", "texts", *FEW, "--quiet", "--out", "run.audit"])
    assert first == load_audit("run.audit").manifest
    assert 0 == main(["data", "audit", "texts", *FEW, "--quiet", "--out", "run.audit", "--force"])
    assert (20, 30) == (first.coverage.read, load_audit("run.audit").manifest.coverage.read)
    assert {"texts", "run.audit", "run.audit.secret"} == {path.name for path in here.iterdir()}


@pytest.mark.parametrize(("texts", "read"), [(["one document"], 1), ([""], 1), (["", "", "x"], 3)])
def test_the_smallest_corpora_are_audited(here: Path, texts: list[str], read: int) -> None:
    pq.write_table(pa.table({"text": texts}), here / "small.parquet")
    checks = ("--check", "pii", "--check", "licences", "--check", "language", "--canaries", "2")
    assert 0 == main(["data", "audit", "small.parquet", *FEW, *checks, "--quiet", "--out", "run.audit"])
    assert read == load_audit("run.audit").verify().manifest.coverage.read


def test_an_input_that_is_named_twice_counts_twice_and_says_so(here: Path) -> None:
    assert 0 == main(["data", "audit", "texts", "texts", *FEW, "--quiet", "--out", "run.audit"])
    manifest = load_audit("run.audit").manifest
    assert (40, ("texts", "texts")) == (manifest.coverage.read, manifest.inputs)


def test_quiet_prints_the_result_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["data", "audit", "texts", *FEW, "--quiet", "--out", "run.audit"])
    printed = capsys.readouterr()
    assert "" == printed.err
    assert "20 documents" in printed.out


def test_a_pipe_is_told_plain_lines(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["data", "audit", "texts", *FEW, "--out", "run.audit"])
    shown = capsys.readouterr().err
    assert "20 documents" in shown.splitlines()[-1]
    assert "\x1b" not in shown


def test_a_terminal_is_shown_a_moving_line(here: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "texts", *FEW, "--out", "run.audit"],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not block:
            break
        shown += block
    os.close(ours)
    assert 0 == process.wait(END_S)
    assert b"preparing" in shown
    assert re.search(rb"\x1b\[[0-9]*A", shown), "the cursor goes up to draw again"
    assert b"20 documents" in shown.splitlines()[-1]


def test_a_large_document_is_counted_and_does_not_fill_a_workers_memory(here: Path) -> None:
    folder = here / "large"
    folder.mkdir()
    with (folder / "sparse.txt").open("wb") as file:
        file.truncate(200 * 2**20)
    with gzip.open(folder / "line.jsonl.gz", "wb", compresslevel=1) as packed:
        packed.write(b'{"text": "')
        for _ in range(200):
            packed.write(b"x" * 2**20)
        packed.write(b'"}\n{"text": "short"}\n')
    program = (
        "import resource, sys; from verilabel.cli import main; status = main(sys.argv[1:])\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, int(status))\n"
    )
    given = ["data", "audit", "large", *FEW, "--quiet", "--out", "run.audit"]
    done = subprocess.run([sys.executable, "-c", program, *given], check=True, capture_output=True, text=True)
    kilobytes, status = map(int, done.stdout.splitlines()[-1].split())
    assert 0 == status
    assert kilobytes < 600 * 1024
    coverage = load_audit("run.audit").manifest.coverage
    assert (3, 1, 2) == (coverage.rows, coverage.read, coverage.unread)


def test_a_disk_that_is_full_is_said_and_the_same_command_continues(here: Path) -> None:
    write_corpus(here / "texts", files=2, documents=4000)
    given = [*COMMAND, "texts", *FEW, "--quiet", "--out", "run.audit"]
    limit = 300_000

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    full = subprocess.run(given, check=False, preexec_fn=fill, capture_output=True, text=True)
    assert 2 == full.returncode, full.stderr
    assert "run the same command again: it continues" in full.stderr
    assert not (here / "run.audit").exists()
    assert not list((here / "run.audit.run").rglob(".*")), "nothing half done is left"
    again = subprocess.run([*given, "--resume"], check=False, capture_output=True, text=True)
    assert (0, "") == (again.returncode, again.stderr)
    assert 8000 == load_audit("run.audit").verify().manifest.coverage.read


def _wait(until: Callable[[], object]) -> None:
    ends = time.monotonic() + END_S
    while not until():
        assert time.monotonic() < ends
        time.sleep(0.002)


@pytest.fixture
def begun(here: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command, as soon as a shard is done."""
    write_corpus(here / "texts", files=12, documents=300)
    process = subprocess.Popen(
        [*COMMAND, "texts", *FEW, "--check", "pii", "--quiet", "--json", "--out", "run.audit"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    _wait(lambda: [*here.glob("run.audit.run/map/[0-9a-f]*/done.json")] or process.poll() is not None)
    yield process
    process.kill()
    process.communicate()


def test_an_interrupted_audit_leaves_no_process_and_says_how_it_continues(
    begun: subprocess.Popen[bytes], here: Path
) -> None:
    workers = Path(f"/proc/{begun.pid}/task/{begun.pid}/children").read_text().split()
    assert workers
    begun.send_signal(signal.SIGINT)
    _, said = begun.communicate(timeout=END_S)
    assert 130 == begun.returncode
    assert b"the same command continues" in said
    assert b"Traceback" not in said
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert (here / "run.audit.run").is_dir()
    assert not (here / "run.audit").exists()


def test_a_reader_of_the_result_that_goes_away_does_not_undo_the_audit(
    begun: subprocess.Popen[bytes], here: Path
) -> None:
    assert begun.stdout is not None
    begun.stdout.close()
    assert begun.stderr is not None
    said = begun.stderr.read()
    assert (141, b"") == (begun.wait(END_S), said)
    assert 3600 == load_audit(here / "run.audit").manifest.coverage.read


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that other users may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_folder_that_cannot_be_written_to_is_named(open_place: Path) -> None:
    write_corpus(open_place / "texts", files=1, documents=3)
    (open_place / "locked").mkdir(mode=0o555)
    for name in ("engine.auditing", "engine.opening", "engine.watching"):
        importlib.import_module(f"verilabel.audit.{name}")
    for name in ("data_progress", "data_text"):
        importlib.import_module(f"verilabel.cli.{name}")
    told = open_place / "told"
    pid = os.fork()
    if pid == 0:
        with told.open("w") as sys.stderr:
            if os.geteuid() == 0:
                os.setuid(65534)  # permissions do not hold for the superuser
            given = [str(open_place / "texts"), "--out", str(open_place / "locked/run.audit")]
            status = main(["data", "audit", *FEW, "--quiet", "--json", *given])
        os._exit(status)
    _, ended = os.waitpid(pid, 0)
    assert 2 == os.waitstatus_to_exitcode(ended), told.read_text()
    said: dict[str, str] = json.loads(told.read_text())
    assert "Permission denied" == said["message"]
    assert "locked/run.audit.run" in said["where"]


def test_nothing_that_was_started_is_left(here: Path) -> None:
    assert 0 == main(["data", "audit", "texts", *FEW, "--quiet", "--out", str(here / "run.audit")])
    assert [] == local_workers()
