"""Sealing: a bundle appears whole or not at all, replaces nothing by accident, and is the same every time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest

from bundle_factory import (
    ATTACKER,
    ISSUED,
    ISSUER,
    LOG,
    PLANNED,
    READ,
    Recipe,
    begin_store,
    make_bundle,
    run_recipe,
)
from verilabel.errors import CheckFailed, MalformedInput, Undetermined, UsageError
from verilabel.evaluation.labelling import count_answers, read_plan, require_complete
from verilabel.evidence import layout
from verilabel.evidence.container import Folder, write_zip
from verilabel.evidence.journal import JOURNAL, Store
from verilabel.evidence.log import Entry, LocalLog
from verilabel.evidence.note import parse_proof
from verilabel.evidence.sealing import Sealing, log_plan, seal_bundle
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.canonical import digest

TESTS = Path(__file__).resolve().parent.parent


@dataclass
class Ready:
    """An open store of a finished run, and where its bundle may go."""

    store: Store
    log: LocalLog
    sealing: Sealing
    out: Path

    def seal(self, *, force: bool = False) -> Path:
        """Seal what the store holds."""
        return seal_bundle(self.store, count_answers(self.store), self.out, self.sealing, force=force).path


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Ready]:
    """A run that is finished and not sealed."""
    store, suites, log = begin_store(tmp_path, Recipe())
    assert log is not None
    with store, closing(log):
        asyncio.run(run_recipe(Recipe(), store, suites, log))
        (tmp_path / "place").mkdir()
        yield Ready(store, log, Sealing(ISSUER, log, ISSUED), tmp_path / "place" / "bundle")


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in Folder(folder).sizes}


def test_the_same_run_gives_the_same_bytes(made_bundle: Path, tmp_path: Path) -> None:
    assert bytes_of(made_bundle) == bytes_of(make_bundle(tmp_path).path)


def test_the_zip_is_the_folder_in_one_file(made_bundle: Path, tmp_path: Path) -> None:
    sealed = make_bundle(tmp_path, Recipe(zipped=True))
    write_zip(made_bundle, tmp_path / "by_hand.zip")
    assert (tmp_path / "by_hand.zip").read_bytes() == sealed.path.read_bytes()


def test_what_is_returned_is_what_is_sealed(ready: Ready) -> None:
    sealed = seal_bundle(ready.store, count_answers(ready.store), ready.out, ready.sealing)
    found = verify_bundle(ready.out, now=READ)
    assert (sealed.label, sealed.root) == (found.label, found.root)
    assert sealed.manifest == digest((ready.out / layout.MANIFEST).read_bytes())


def test_nothing_but_the_bundle_is_left_beside_it(ready: Ready) -> None:
    ready.seal()
    assert ["bundle"] == os.listdir(ready.out.parent)  # noqa: PTH208


def test_a_bundle_is_not_replaced_without_force_and_whole_with_it(ready: Ready) -> None:
    ready.seal()
    before = bytes_of(ready.out)
    with pytest.raises(UsageError, match="something here already"):
        ready.seal()
    assert before == bytes_of(ready.out)
    ready.sealing = replace(ready.sealing, key=ATTACKER)
    ready.seal(force=True)
    assert before.keys() == bytes_of(ready.out).keys()
    assert before[layout.ATTESTATION] != bytes_of(ready.out)[layout.ATTESTATION]
    assert ["bundle"] == os.listdir(ready.out.parent)  # noqa: PTH208


def test_a_folder_that_is_no_bundle_is_never_replaced(ready: Ready) -> None:
    """`--force --out ~` must not cost anybody their home."""
    ready.out.mkdir()
    (ready.out / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not a bundle and is not replaced"):
        ready.seal(force=True)
    assert "years of work" == (ready.out / "thesis.txt").read_text()


def test_a_journal_that_breaks_while_sealing_leaves_no_part_of_a_bundle(ready: Ready) -> None:
    counted = count_answers(ready.store)
    with (ready.store.folder / JOURNAL).open("ab") as journal:
        journal.write(b"broken\n")
    with pytest.raises(MalformedInput, match="not a record"):
        seal_bundle(ready.store, counted, ready.out, ready.sealing)
    assert [] == os.listdir(ready.out.parent)  # noqa: PTH208


FULL_DISK = f"""
import resource, sys
from datetime import datetime
from pathlib import Path
sys.path.insert(0, {str(TESTS)!r})
from bundle_factory import ISSUED
from verilabel.evaluation.labelling import count_answers
from verilabel.evidence.journal import Store
from verilabel.evidence.sealing import Sealing, seal_bundle
with Store(Path(sys.argv[1])) as store:
    counted = count_answers(store)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        seal_bundle(store, counted, Path(sys.argv[2]), Sealing(None, None, ISSUED))
    except OSError as error:
        print(error.strerror)
"""


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_a_full_disk_while_sealing_leaves_no_part_of_a_bundle(
    ready: Ready, tmp_path: Path, name: str
) -> None:
    folder = ready.store.folder
    ready.store.__exit__(None, None, None)
    out = ready.out.with_name(name)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, folder, out], capture_output=True, text=True, check=False
    )
    assert ("File too large\n", "") == (done.stdout, done.stderr)
    assert [] == os.listdir(out.parent)  # noqa: PTH208
    with Store(folder) as store:
        seal_bundle(store, count_answers(store), out, Sealing(None, None, ISSUED))
    assert "V0" == verify_bundle(out, now=READ).level


def test_a_time_without_a_zone_is_refused_and_leaves_nothing(ready: Ready) -> None:
    ready.sealing = replace(ready.sealing, now=ISSUED.replace(tzinfo=None))
    with pytest.raises(MalformedInput, match="without a time zone"):
        ready.seal()
    assert [] == os.listdir(ready.out.parent)  # noqa: PTH208


def test_the_plan_is_logged_once_and_before_the_label(ready: Ready) -> None:
    plan = read_plan(ready.store)
    log_plan(ready.store, plan, ready.log)
    log_plan(ready.store, plan, ready.log)
    assert 1 == ready.log.size
    ready.seal()
    assert ["verilabel.plan/v1", "verilabel.label/v1"] == [e.entry.kind for e in ready.log.entries()]
    assert Entry("verilabel.plan/v1", plan.digest) == ready.log.entries()[0].entry
    proof = parse_proof((ready.out / layout.LABEL_PROOF).read_bytes())
    assert 1 == proof.index


def test_the_log_may_grow_between_plan_and_label(ready: Ready) -> None:
    for number in range(5):
        ready.log.append(Entry("verilabel.plan/v1", digest(bytes([number]))))
    found = verify_bundle(ready.seal(), now=READ)
    assert (None, "V2") == (found.failure, found.level)
    assert "plan is entry 0, label entry 6" in found.steps[4].detail


def test_a_bundle_tells_nothing_of_where_it_was_made_and_holds_no_secret(
    ready: Ready, tmp_path: Path
) -> None:
    secret = ISSUER.pem().split(b"\n")[1]
    for path, data in bytes_of(ready.seal()).items():
        assert str(tmp_path).encode() not in data, path
        assert secret not in data, path


def test_an_unsigned_bundle_has_no_seals_at_all(ready: Ready) -> None:
    ready.sealing = Sealing(None, ready.log, ISSUED)
    ready.seal()
    assert {layout.MANIFEST} == set(layout.UNLISTED) & set(bytes_of(ready.out))
    assert not (ready.out / "attestations").exists()
    assert not (ready.out / "log").exists()
    assert 1 == ready.log.size


def test_an_unfinished_fixed_run_is_not_labelled(tmp_path: Path) -> None:
    store, suites, log = begin_store(tmp_path, Recipe(log_key=None))
    with store:
        asyncio.run(run_recipe(Recipe(log_key=None), store, suites, log))
        lines = (store.folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (store.folder / JOURNAL).write_bytes(b"".join(lines[:30]))
    with (
        Store(tmp_path / "run") as again,
        pytest.raises(Undetermined, match=r"20 answers of test/quiz@1\.0\.0, 5 are"),
    ):
        require_complete(read_plan(again), count_answers(again))


def test_the_plan_bears_the_date_of_planning_not_of_sealing(made_bundle: Path) -> None:
    found = verify_bundle(made_bundle, now=READ)
    assert found.plan is not None
    assert f"{PLANNED:%Y-%m-%dT%H:%M:%SZ}" == found.plan.created
    assert f"{ISSUED:%Y-%m-%dT%H:%M:%SZ}" == found.issued


def test_what_a_killed_sealing_left_behind_is_removed_by_the_next(tmp_path: Path) -> None:
    """A process that seals and is killed before it can move the bundle into its place."""
    program = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from bundle_factory import ISSUED, ISSUER, Recipe, begin_store, run_recipe\n"
        "from verilabel.evaluation.labelling import count_answers\n"
        "from verilabel.evidence.sealing import Sealing, seal_bundle\n"
        "folder, recipe = Path(sys.argv[1]), Recipe(sizes=(('quiz', 6),))\n"
        "store, suites, log = begin_store(folder, recipe)\n"
        "def kill(event, arguments):\n"
        "    if event == 'os.rename' and str(arguments[1]).endswith('/bundle.zip'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "with store:\n"
        "    asyncio.run(run_recipe(recipe, store, suites, log))\n"
        "    sys.addaudithook(kill)\n"
        "    seal_bundle(store, count_answers(store), folder / 'bundle.zip', Sealing(ISSUER, log, ISSUED))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert -9 == done.returncode, done.stderr
    assert 2 == len([p for p in tmp_path.iterdir() if p.name.startswith(".bundle.zip.")])
    with Store(tmp_path / "run") as store, LocalLog.open(tmp_path / "log", LOG, clock=lambda: PLANNED) as log:
        seal_bundle(store, count_answers(store), tmp_path / "bundle.zip", Sealing(ISSUER, log, ISSUED))
    assert [] == [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]
    assert "V2" == verify_bundle(tmp_path / "bundle.zip", now=READ).level


@pytest.mark.parametrize(
    ("now", "fragment"),
    [
        (PLANNED.replace(year=1970), "it was signed on 01 January 1970, before its plan was made"),
        (PLANNED.replace(year=2126), "its plan was older than the 36500 days of its rubric"),
    ],
)
def test_a_clock_that_cannot_be_right_seals_nothing(tmp_path: Path, now: datetime, fragment: str) -> None:
    recipe = Recipe(sizes=(("quiz", 6),))
    store, suites, log = begin_store(tmp_path, recipe)
    with store:
        asyncio.run(run_recipe(recipe, store, suites, log))
        with pytest.raises(CheckFailed, match=fragment):
            seal_bundle(store, count_answers(store), tmp_path / "bundle", Sealing(ISSUER, log, now))
    assert not (tmp_path / "bundle").exists()


def test_answers_without_their_plan_are_not_given_a_new_one(tmp_path: Path) -> None:
    recipe = Recipe(sizes=(("quiz", 6),))
    store, suites, log = begin_store(tmp_path, recipe)
    with store:
        asyncio.run(run_recipe(recipe, store, suites, log))
    (store.folder / layout.PLAN).unlink()
    with store, pytest.raises(UsageError, match="not the plan that they were asked by"):
        asyncio.run(run_recipe(recipe, store, suites, log))
