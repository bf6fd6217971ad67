"""One corpus, one secret, one root: whatever runs the audit, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit_corpora import some_text, write_corpus
from verilabel.audit.engine.auditing import Ordered, audit
from verilabel.audit.engine.interface import Executor
from verilabel.audit.engine.local import LocalExecutor
from verilabel.audit.engine.watching import Watch
from verilabel.audit.proof.commitments import Secret, save_secret
from verilabel.audit.proof.layout import MANIFEST
from verilabel.audit.proof.manifest import AuditManifest, parse_audit_manifest
from verilabel.audit.settings import AuditSettings, CanarySettings, ContaminationSettings, SamplingSettings

QUESTION = (
    "A lighthouse keeper polishes forty seven lamps before breakfast and then walks twelve miles along the shore "
    "counting the gulls that sleep on every third breakwater; how many lamps remain if nine of them are broken?"
)
END_S = 120.0


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    extra = [f"{some_text(7)} {QUESTION} {some_text(8)}", f"Write to ada.{'lovelace'}@" + "zzqx.net today"]
    return write_corpus(tmp_path_factory.mktemp("corpus") / "texts", files=6, documents=80, extra=extra)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> AuditSettings:
    bench = tmp_path_factory.mktemp("bench") / "lamps.jsonl"
    bench.write_text(json.dumps({"question": QUESTION, "answer": "thirty eight"}) + "\n")
    return AuditSettings(
        checks=("pii", "contamination", "duplicates"),
        contamination=ContaminationSettings(benchmarks=(str(bench),)),
        sampling=SamplingSettings(documents=0),
        canaries=CanarySettings(per_format=6),
    )


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "secret"
    save_secret(Secret(bytes(range(32))), path)
    return path


Run = Callable[[Executor, Path], AuditManifest]


@pytest.fixture(scope="module")
def run(corpus: Path, settings: AuditSettings, secret: Path) -> Run:
    def carry_out(executor: Executor, out: Path) -> AuditManifest:
        async def go() -> AuditManifest:
            try:
                return await audit(Ordered((str(corpus),), settings, out, secret), executor, Watch(), None)
            finally:
                await executor.close()

        return asyncio.run(go())

    return carry_out


@pytest.fixture(scope="module")
def undisturbed(run: Run, tmp_path_factory: pytest.TempPathFactory) -> AuditManifest:
    return run(LocalExecutor(1), tmp_path_factory.mktemp("one") / "run.audit")


def test_an_undisturbed_audit_finds_what_is_there(undisturbed: AuditManifest) -> None:
    assert (6, 482, 482, 0) == (
        undisturbed.coverage.shards,
        undisturbed.coverage.rows,
        undisturbed.coverage.read,
        undisturbed.coverage.unread,
    )
    found = {total.kind: total.documents for total in undisturbed.totals}
    assert (1, 1) == (found["contamination.item"], found["pii.email"])
    assert undisturbed.duplicates is not None
    assert 48 == undisturbed.duplicates.exact.copies


def test_two_workers_give_the_same_root_and_the_same_findings(
    run: Run, undisturbed: AuditManifest, tmp_path: Path
) -> None:
    found = run(LocalExecutor(2), tmp_path / "run.audit")
    assert undisturbed.root == found.root
    assert (undisturbed.totals, undisturbed.statements) == (found.totals, found.statements)
    assert undisturbed.files == found.files


def test_nothing_but_the_result_and_its_secret_is_left(run: Run, tmp_path: Path) -> None:
    run(LocalExecutor(2), tmp_path / "run.audit")
    assert ["run.audit"] == sorted(path.name for path in tmp_path.iterdir())


def _command(corpus: Path, settings: AuditSettings, secret: Path, out: Path) -> list[str]:
    checks = [word for name in settings.checks for word in ("--check", name)]
    return [
        *(sys.executable, "-m", "verilabel", "data", "audit", str(corpus), "--unsigned", "--quiet"),
        *("--bench", settings.contamination.benchmarks[0], "--canaries", "6", "--sample", "0"),
        *("--secret", str(secret), "--workers", "2", "--out", str(out), *checks),
    ]


@pytest.fixture
def begun(
    corpus: Path, settings: AuditSettings, secret: Path, tmp_path: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process of its own, when the first shard is done."""
    out = tmp_path / "run.audit"
    process = subprocess.Popen(_command(corpus, settings, secret, out), stdout=subprocess.PIPE)
    _wait(
        lambda: (
            bool(list((tmp_path / "run.audit.run").glob("map/[0-9a-f]*/done.json")))
            or process.poll() is not None
        )
    )
    yield process
    process.kill()
    process.communicate()


def _wait(until: Callable[[], bool]) -> None:
    ends = time.monotonic() + END_S
    while not until():
        assert time.monotonic() < ends
        time.sleep(0.002)


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def test_a_worker_that_is_killed_is_replaced_and_the_root_is_the_same(
    begun: subprocess.Popen[bytes], undisturbed: AuditManifest, tmp_path: Path
) -> None:
    victims = _children(begun.pid)
    assert victims
    os.kill(victims[0], signal.SIGKILL)
    assert 0 == begun.wait(END_S)
    assert undisturbed.root == parse_audit_manifest((tmp_path / "run.audit" / MANIFEST).read_bytes()).root


def test_a_driver_that_is_killed_leaves_no_worker_and_the_same_command_continues(
    begun: subprocess.Popen[bytes],
    corpus: Path,
    settings: AuditSettings,
    secret: Path,
    undisturbed: AuditManifest,
    tmp_path: Path,
) -> None:
    workers = _children(begun.pid)
    begun.kill()
    begun.wait()
    _wait(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() and _is_worker(pid) for pid in workers))
    done = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "run.audit.run").glob("map/[0-9a-f]*/done.json")
    }
    again = _command(corpus, settings, secret, tmp_path / "run.audit")
    subprocess.run([*again, "--resume"], check=True, stdout=subprocess.PIPE)
    assert done
    assert undisturbed.root == parse_audit_manifest((tmp_path / "run.audit" / MANIFEST).read_bytes()).root


def _is_worker(pid: int) -> bool:
    try:
        return b"verilabel.audit.engine.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_two_drivers_do_not_work_in_one_folder(
    begun: subprocess.Popen[bytes], corpus: Path, settings: AuditSettings, secret: Path, tmp_path: Path
) -> None:
    os.kill(begun.pid, signal.SIGSTOP)
    second = subprocess.run(
        _command(corpus, settings, secret, tmp_path / "run.audit"), stderr=subprocess.PIPE, check=False
    )
    os.kill(begun.pid, signal.SIGCONT)
    assert 2 == second.returncode
    assert b"another audit works here" in second.stderr
