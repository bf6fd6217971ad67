"""The work folder of an audit, beside its result: one driver at a time, kept until the audit is whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from verilabel.audit.engine.job import KEY_FILE
from verilabel.audit.proof.commitments import Secret, load_secret, make_secret, save_secret
from verilabel.errors import UsageError

WORK_SUFFIX = ".run"
BESIDE_SUFFIX = ".secret"
LOCK = "lock"


def work_folder(out: Path) -> Path:
    """Where an audit works."""
    return out.with_name(out.name + WORK_SUFFIX)


def secret_file(out: Path) -> Path:
    """Where an audit leaves its secret, for its owner alone."""
    return out.with_name(out.name + BESIDE_SUFFIX)


@contextmanager
def locked_work(out: Path) -> Iterator[Path]:
    """The work folder, made where it is not there, locked. Raises UsageError where another driver has it."""
    work = work_folder(out)
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(work / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError("another audit works here at this moment", where=str(work)) from None
        yield work
    finally:
        os.close(descriptor)


def place_secret(work: Path, out: Path, given: Path | None) -> Secret:
    """The audit's secret: the one that was given, the one of a run that continues, or a new one.

    It is left where workers find it, and beside the result unless it was given.
    """
    beside = secret_file(out)
    if given is None and not beside.exists():
        beside.parent.mkdir(parents=True, exist_ok=True)
        save_secret(make_secret(), beside)
    secret = load_secret(given or beside)
    (work / KEY_FILE).unlink(missing_ok=True)
    save_secret(secret, work / KEY_FILE)
    return secret


def remove_work(work: Path) -> None:
    """Remove the work folder: it holds texts of the corpus."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(work)
