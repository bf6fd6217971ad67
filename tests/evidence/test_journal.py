"""The store of a run: what a kill, a full disk, a second writer or a broken line does to it, and that it continues."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundle_factory import LOG, PLANNED, RUBRIC, Recipe, begin_store, make_bundle, run_recipe, write_suite
from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.evaluation.labelling import count_answers
from verilabel.evidence import journal
from verilabel.evidence.journal import JOURNAL, Store
from verilabel.evidence.layout import EVIDENCE, MAX_LINE_BYTES, PLAN
from verilabel.evidence.lines import Line, encode_line, encode_lines
from verilabel.evidence.log import LocalLog
from verilabel.evidence.sealing import Sealing, seal_bundle
from verilabel.records.attempt import Attempt
from verilabel.records.score import Scored

TESTS = Path(__file__).resolve().parent.parent
MAIN = "import sys; from verilabel.cli import main; sys.exit(main())"


def answer(number: int, text: str = "ok") -> list[Line]:
    """An attempt and its score."""
    return [
        Attempt("s@1.0.0", f"q{number}", 1, 1, "{}", output=text),
        Scored("s@1.0.0", f"q{number}", 1, "choice@1.0.0", "correct", True),
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open store with two answers."""
    with Store(tmp_path / "run") as opened:
        opened.append(answer(0))
        opened.append(answer(1))
        yield opened


def kept(folder: Path) -> list[Line]:
    """The records that a newly opened store has."""
    with Store(folder) as opened:
        return list(opened.records())


def test_records_come_back_in_the_order_they_were_appended(store: Store) -> None:
    assert [*answer(0), *answer(1)] == list(store.records())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_journal_cut_anywhere_keeps_its_whole_lines_and_goes_on(
    tmp_path: Path, data: st.DataObject
) -> None:
    """Whatever byte a kill stopped at: only the line in flight is lost."""
    lines = [*answer(0, "é" * 20), *answer(1)]
    whole = encode_lines(lines)
    cut = data.draw(st.integers(0, len(whole)))
    folder = tmp_path / "cut"
    folder.mkdir(exist_ok=True)
    (folder / JOURNAL).write_bytes(whole[:cut])
    with Store(folder) as opened:
        complete = whole[:cut].count(b"\n")
        assert lines[:complete] == list(opened.records())
        opened.append(answer(2))
        assert [*lines[:complete], *answer(2)] == list(opened.records())


def test_a_torn_line_longer_than_one_read_is_cut_away(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    torn = encode_line(answer(1, "x" * 200_000)[0])[:-1]
    (folder / JOURNAL).write_bytes(encode_lines(answer(0)) + torn)
    assert answer(0) == kept(folder)
    assert encode_lines(answer(0)) == (folder / JOURNAL).read_bytes()


def test_zeros_that_a_power_cut_left_at_the_end_are_cut_away(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / JOURNAL).write_bytes(encode_lines(answer(0)) + b"\0" * 5000)
    assert answer(0) == kept(folder)


@pytest.mark.parametrize(
    "broken", [b"{}\n", b"\n", b"garbage\n", b'{"kind":"attempt"}\n', b"\xff\xfe\n", b"\0\0\n"]
)
def test_a_broken_line_in_the_middle_is_named_and_not_skipped(
    store: Store, tmp_path: Path, broken: bytes
) -> None:
    path = tmp_path / "run" / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], broken, *lines[2:]]))
    with pytest.raises(MalformedInput) as caught:
        list(store.records())
    assert f"{path}:3" == caught.value.where


def test_a_second_writer_is_refused_and_may_write_when_the_first_is_done(tmp_path: Path) -> None:
    with Store(tmp_path / "run") as first:
        first.append(answer(0))
        with pytest.raises(UsageError, match="another run is writing") as caught, Store(tmp_path / "run"):
            pass
        assert "its own --out" in (caught.value.hint or "")
    with Store(tmp_path / "run") as second:
        second.append(answer(1))
    assert [*answer(0), *answer(1)] == kept(tmp_path / "run")


def test_a_second_process_is_refused(store: Store, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom verilabel.errors import UsageError\n"
        "from verilabel.evidence.journal import Store\n"
        "try:\n    Store(Path(sys.argv[1])).__enter__()\n"
        "except UsageError as error:\n    sys.exit(f'refused: {error.message}')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "run"], capture_output=True, text=True, check=False
    )
    assert "refused: another run is writing into this store\n" == done.stderr


def test_a_store_that_cannot_be_opened_leaves_no_lock_behind(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / JOURNAL).mkdir(parents=True)
    with pytest.raises(IsADirectoryError), Store(folder):
        pass
    (folder / JOURNAL).rmdir()
    assert [] == kept(folder)


def test_a_line_that_could_not_be_read_again_is_not_written(store: Store) -> None:
    with pytest.raises(LimitExceeded, match="cannot be kept"):
        store.append(answer(2, "x" * MAX_LINE_BYTES))
    assert [*answer(0), *answer(1)] == list(store.records())


def test_inputs_are_kept_once_and_compared_ever_after(store: Store) -> None:
    store.put_document(PLAN, b"one")
    store.put_document(PLAN, b"one")
    with pytest.raises(UsageError, match=r"begun with another plan/plan\.json") as caught:
        store.put_document(PLAN, b"two")
    assert "its own --out" in (caught.value.hint or "")
    assert (b"one", [PLAN]) == (store.document(PLAN), store.document_paths())
    with pytest.raises(UsageError, match=r"no subject/system\.json in this store"):
        store.document("subject/system.json")


def test_a_full_disk_loses_nothing_that_was_written_and_says_so(tmp_path: Path) -> None:
    """A file size limit stands for the full disk: the write that crosses it is cut short by the kernel."""
    program = (
        "import resource, sys\nfrom pathlib import Path\nfrom verilabel.evidence.journal import Store\n"
        "from verilabel.records.attempt import Attempt\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))\n"
        "with Store(Path(sys.argv[1])) as store:\n"
        "    try:\n"
        "        for n in range(100):\n"
        "            store.append([Attempt('s@1.0.0', f'q{n}', 1, 1, '{}', output='x' * 900)])\n"
        "    except OSError as error:\n"
        "        print(n, error.errno, error.filename, len(list(store.records())))\n"
    )
    folder = tmp_path / "run"
    done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=True)
    written, number, path, readable = done.stdout.split()
    assert ("2", str(folder / JOURNAL), "2") == (written, path, readable)
    assert int(number) in (27, 28)  # EFBIG, ENOSPC
    assert 2 == len(kept(folder))
    with Store(folder) as opened:
        opened.append(answer(3))
        assert 4 == len(list(opened.records()))


def test_a_label_command_on_a_full_disk_stops_with_a_message_and_continues_when_there_is_room(
    tmp_path: Path,
) -> None:
    """The whole command: message, status, journal intact; the same command again finishes."""
    write_quiz(tmp_path)
    command = [sys.executable, "-c", MAIN, *label_command(tmp_path)]
    limited = ["bash", "-c", 'ulimit -f 24; exec "$@"', "bash", *command]  # 24 KiB
    environment = {**os.environ, "VERILABEL_HOME": str(tmp_path / "home")}
    full = subprocess.run(limited, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert 2 == full.returncode, full.stderr
    assert "File too large" in full.stderr and "journal.jsonl" in full.stderr
    assert "Traceback" not in full.stderr
    assert not (tmp_path / "out").exists()
    before = len(kept(tmp_path / "out.run"))
    assert 0 < before
    again = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert 0 == again.returncode, again.stderr
    assert (tmp_path / "out" / "bundle.json").exists()
    assert not (tmp_path / "out.run").exists()


def write_quiz(folder: Path) -> None:
    """A suite, a rubric and the arguments' files for the label command."""
    for name in ("quiz", "puzzles"):
        write_suite(folder / name, name, 30)
    (folder / "rubric.yaml").write_text(RUBRIC)


def label_command(folder: Path) -> list[str]:
    """A label command without key and log."""
    suites = [part for name in ("quiz", "puzzles") for part in ("--suite", str(folder / name / "suite.yaml"))]
    return [
        "label", "--model", "simulated:accuracy=0.9,seed=7", *suites, "--rubric", str(folder / "rubric.yaml"),
        "--design", "fixed", "--unsigned", "--out", str(folder / "out"), "--quiet", "--seed", "00ff",
    ]  # fmt: skip


KILLED_RUN = f"""
import asyncio, os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(TESTS)!r})
from bundle_factory import FixedClockModel, Recipe, begin_store, run_recipe

class KilledModel(FixedClockModel):
    questions = int(sys.argv[2])
    async def ask(self, request):
        if not self.questions:
            os.kill(os.getpid(), signal.SIGKILL)
        self.questions -= 1
        return await super().ask(request)

store, suites, log = begin_store(Path(sys.argv[1]), Recipe())
with store:
    asyncio.run(run_recipe(Recipe(), store, suites, log, KilledModel))
"""


@pytest.mark.parametrize("questions", [0, 13])
def test_a_run_killed_in_its_middle_continues_to_the_same_root(
    made_bundle: Path, tmp_path: Path, questions: int
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, tmp_path, str(questions)], check=False, timeout=60
    )
    assert -signal.SIGKILL == killed.returncode
    attempts = [record for record in kept(tmp_path / "run") if isinstance(record, Attempt)]
    assert questions == len(attempts)
    suites = [write_suite(tmp_path / "suites" / name, name, size) for name, size in Recipe().sizes]
    with LocalLog.open(tmp_path / "log", LOG, clock=lambda: PLANNED) as log, Store(tmp_path / "run") as store:
        asyncio.run(run_recipe(Recipe(), store, suites, log))
        sealed = seal_bundle(store, count_answers(store), tmp_path / "out", Sealing(None, None, PLANNED))
        asked = sum(isinstance(record, Attempt) for record in store.records())
    assert 30 == asked  # nothing was asked twice
    assert (made_bundle / EVIDENCE).read_bytes() == (sealed.path / EVIDENCE).read_bytes()


def test_a_store_is_not_continued_with_another_model(tmp_path: Path) -> None:
    store, suites, log = begin_store(tmp_path, Recipe())
    with store:
        asyncio.run(run_recipe(Recipe(), store, suites, log))
        with pytest.raises(UsageError, match=r"begun with another subject/system\.json"):
            asyncio.run(run_recipe(Recipe(accuracy="1"), store, suites, log))


def test_many_connections_give_the_same_evidence_as_one(made_bundle: Path, tmp_path: Path) -> None:
    sealed = make_bundle(tmp_path, Recipe(connections=8))
    assert (made_bundle / EVIDENCE).read_bytes() == (sealed.path / EVIDENCE).read_bytes()
    assert journal.JOURNAL not in {path.name for path in sealed.path.rglob("*")}
