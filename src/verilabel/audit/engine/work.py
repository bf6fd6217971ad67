"""The work folder of an audit, beside its result: one driver at a time, kept until the audit is whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from verilabel.audit.engine.job import KEY_FILE
from verilabel.audit.proof.commitments import Secret, load_secret, make_secret, save_secret
from verilabel.audit.proof.layout import MANIFEST
from verilabel.audit.reading.interface import Shard
from verilabel.audit.reading.places import is_remote, local_path
from verilabel.audit.reading.repositories import is_hub
from verilabel.audit.settings import AuditSettings
from verilabel.errors import UsageError

WORK_SUFFIX = ".run"
BESIDE_SUFFIX = ".secret"
LOCK = "lock"
WHOLE = "whole"
"""Marks a work folder whose result is made: once that lies in its place, what is left here is rubbish."""
OUT = "out"
SCRATCH = "."
"""What begins with it is half done, and nobody's once its driver is gone."""


def work_folder(out: Path) -> Path:
    """Where an audit works."""
    return out.with_name(out.name + WORK_SUFFIX)


def secret_file(out: Path) -> Path:
    """Where an audit leaves its secret, for its owner alone."""
    return out.with_name(out.name + BESIDE_SUFFIX)


def check_out(out: Path, inputs: Sequence[str], *, force: bool) -> None:
    """Check that a result may be put somewhere, before anything is read. `force` replaces an audit, and nothing else.

    What a run left that was killed after its last step is removed. Raises UsageError.
    """
    if out.name in ("", "..") or not _can_be_written(str(out)):
        raise UsageError("a result cannot have this name", where=ascii(str(out)), hint="--out run.audit")
    if not out.parent.is_dir():
        raise UsageError("there is no such folder", where=str(out.parent))
    if os.path.lexists(out):
        _sweep(out)
        if not force:
            raise UsageError(
                "there is something here already", where=str(out), hint="choose another --out, or --force"
            )
        if out.is_symlink() or not (out / MANIFEST).is_file():
            raise UsageError("only an audit is replaced, and this is none", where=str(out))
    for given in inputs:
        if given and not _is_elsewhere(given):
            _check_input(out, local_path(given))


def _can_be_written(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_input(out: Path, given: str) -> None:
    source = Path(os.path.realpath(given))
    target = Path(os.path.realpath(out.parent)) / out.name
    if source.is_dir() and target.is_relative_to(source):
        raise UsageError(
            "the result would lie in what is audited, and be audited",
            where=str(out),
            hint="choose a folder for --out that is not below an input",
        )
    if any(source.is_relative_to(place) for place in (target, work_folder(target))):
        raise UsageError("this is the result itself, or its work folder", where=given)


def check_apart(out: Path, secret: Path | None, shards: Iterable[Shard]) -> None:
    """Check that no file that was planned is the audit's own. Raises UsageError naming it."""
    own = [secret_file(out), *([] if secret is None else [secret])]
    folders = tuple(f"{_plain_path(path)}{os.sep}" for path in (out, work_folder(out)))
    files = {_plain_path(path) for path in own}
    for shard in shards:
        for file in shard.files:
            place = "" if is_remote(file) else _plain_path(file)
            if place in files or place.startswith(folders):
                raise UsageError("an input is this audit's own secret, result or work", where=file)


def _plain_path(path: str | Path) -> str:
    # links are not followed: a corpus may have millions of files, and folders were looked at with their links
    return os.path.abspath(path)  # noqa: PTH100


def sort_inputs(inputs: Sequence[str]) -> tuple[str, ...]:
    """Inputs in an order of their own, so that it does not matter in which they were named, or from where.

    Paths become absolute: workers may stand in another folder.
    """
    return tuple(
        sorted(
            given if not given or _is_elsewhere(given) else _plain_path(local_path(given)) for given in inputs
        )
    )


def find_benchmarks(settings: AuditSettings) -> AuditSettings:
    """Settings whose benchmarks and mirror are absolute paths, where they are paths."""
    asked = settings.contamination
    found = msgspec.structs.replace(
        asked,
        benchmarks=tuple(_plain_path(name) if Path(name).exists() else name for name in asked.benchmarks),
        mirror=None if asked.mirror is None else _plain_path(asked.mirror),
    )
    return msgspec.structs.replace(settings, contamination=found)


def _is_elsewhere(given: str) -> bool:
    return is_remote(given) or is_hub(given)


def _sweep(out: Path) -> None:
    work = work_folder(out)
    if not (work / WHOLE).exists() or (work / OUT).exists():
        return
    with locked_work(out):
        remove_work(work)


@contextmanager
def locked_work(out: Path) -> Iterator[Path]:
    """The work folder, made where it is not there, locked, for its owner alone.

    Raises UsageError where another driver has it, or it is somebody else's.
    """
    work = work_folder(out)
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = work.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise UsageError("the work folder is a link, or another user's", where=str(work))
    work.chmod(0o700)
    descriptor = os.open(work / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError("another audit works here at this moment", where=str(work)) from None
        yield work
    finally:
        os.close(descriptor)


def clear_scratch(work: Path) -> None:
    """Remove what killed workers left half done: on a full disk it is what would be missing."""
    (work / WHOLE).unlink(missing_ok=True)
    for folder in (work, work / "map"):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name.startswith(SCRATCH):
                shutil.rmtree(path, ignore_errors=True)
                path.unlink(missing_ok=True)


def place_secret(work: Path, out: Path, given: Path | None) -> Secret:
    """The audit's secret: the one that was given, the one beside the result of a run that continues, or a new one.

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
