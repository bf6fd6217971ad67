"""Files of inputs: single ones, those that match a pattern, and all below a folder, by name."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from verilabel.audit.reading import reasons
from verilabel.audit.reading.interface import Compression
from verilabel.audit.settings import Form
from verilabel.errors import UsageError

_VERSION_STORES = frozenset({".git", ".hg", ".svn"})
_MAGIC = frozenset("*?[")
_MOST_DEPTH = 200
_FORMS: dict[str, Form] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".parq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonlines": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".warc": "warc",
    ".wet": "warc",
}
_COMPRESSIONS: dict[str, Compression] = {".gz": "gz", ".zst": "zst", ".zstd": "zst"}


class Found(NamedTuple):
    """A file of an input."""

    name: str
    """Below the input, with `/` between its parts."""
    place: str
    """A path or a URL."""
    size: int
    problem: str = ""
    """Why it is not to be opened, where it is not."""


def name_form(name: str) -> tuple[Form | None, Compression]:
    """What a file's name says of its form, and how it is compressed."""
    stem, dot, ending = name.lower().rpartition(".")
    compression = _COMPRESSIONS.get(dot + ending, "")
    if compression:
        _, dot, ending = stem.rpartition(".")
    return _FORMS.get(dot + ending), compression


def is_pattern(text: str) -> bool:
    """Whether a text has letters of a pattern."""
    return not _MAGIC.isdisjoint(text)


def list_local(given: str) -> list[Found]:
    """The files of a path of this machine. Raises UsageError where nothing is there or it is no file or folder."""
    path = Path(given)
    if path.is_dir():
        return list_folder(path)
    if path.exists() or path.is_symlink():
        return [_single(path)]
    if is_pattern(given):
        return _list_pattern(given)
    raise UsageError(
        "there is no such file or folder", where=given, hint="a pattern such as 'data/*.jsonl' needs quotes"
    )


def _single(path: Path) -> Found:
    try:
        state = path.stat()
    except OSError as error:
        raise UsageError(f"this cannot be read: {error.strerror}", where=str(path)) from None
    if not stat.S_ISREG(state.st_mode):
        raise UsageError(
            "this is not a file",
            where=str(path),
            hint="a pipe or a device has no bytes to come back to: save it first",
        )
    _check_name(path.name, str(path))
    return Found(path.name, str(path), state.st_size)


def _list_pattern(pattern: str) -> list[Found]:
    fixed = Path(*_fixed_parts(pattern))
    found: dict[str, Found] = {}
    for match in glob.iglob(pattern, recursive=True):  # noqa: PTH207  a whole path is a pattern
        path = Path(match)
        files = list_folder(path) if path.is_dir() and "**" not in pattern else []
        if path.is_file():
            files = [_single(path)]
        for file in files:
            place = file.place
            name = os.path.relpath(place, fixed).replace(os.sep, "/")
            found[place] = Found(name, place, file.size, file.problem)
    if not found:
        raise UsageError("no file matches", where=pattern)
    return sorted(found.values())


def _fixed_parts(pattern: str) -> Iterator[str]:
    for part in Path(pattern).parts[:-1]:
        if is_pattern(part):
            return
        yield part


def list_folder(folder: Path) -> list[Found]:
    """All files below a folder, by name, with those that are not to be opened.

    Links are followed to files that are in the folder too (in a cache of the hub: in its store of files). Raises
    UsageError where the folder itself cannot be listed, or a name cannot be written down.
    """
    root = _link_root(folder)
    found: list[Found] = []
    pending = [(str(folder), "", 0)]
    while pending:
        place, name, depth = pending.pop()
        try:
            with os.scandir(place) as entries:
                listed = list(entries)
        except OSError as error:
            if not name:
                raise UsageError(f"the folder cannot be listed: {error.strerror}", where=place) from None
            found.append(Found(name, place, 0, reasons.UNLISTED))
            continue
        for entry in listed:
            below = f"{name}/{entry.name}" if name else entry.name
            file = _judge_entry(entry, below, root, depth)
            if file is None:
                pending.append((entry.path, below, depth + 1))
            else:
                found.append(file)
    return sorted(found)


def _judge_entry(entry: os.DirEntry[str], name: str, root: str, depth: int) -> Found | None:
    """The file that an entry is, or None for a folder to go into."""
    if not _is_writable(name):
        return Found(_writable(name), _writable(entry.path), 0, reasons.BAD_NAME)
    try:
        if entry.is_symlink():
            return _judge_link(entry, name, root)
        if entry.is_dir(follow_symlinks=False):
            if entry.name in _VERSION_STORES:
                return Found(name, entry.path, 0, reasons.VERSION_STORE)
            return None if depth < _MOST_DEPTH else Found(name, entry.path, 0, reasons.UNLISTED)
        if not entry.is_file(follow_symlinks=False):
            return Found(name, entry.path, 0, reasons.NO_FILE)
        return Found(name, entry.path, entry.stat(follow_symlinks=False).st_size)
    except OSError:
        return Found(name, entry.path, 0, reasons.UNREADABLE)


def _judge_link(entry: os.DirEntry[str], name: str, root: str) -> Found:
    if entry.is_dir():
        return Found(name, entry.path, 0, reasons.FOLDER_LINK)
    if not entry.is_file():
        return Found(name, entry.path, 0, reasons.NO_FILE)
    if os.path.commonpath([root, os.path.realpath(entry.path)]) != root:
        return Found(name, entry.path, 0, reasons.OUTSIDE_LINK)
    return Found(name, entry.path, entry.stat().st_size)


def _link_root(folder: Path) -> str:
    """The folder that links may lead into: a snapshot in a cache of the hub points at its store beside it."""
    real = folder.resolve()
    if real.parent.name == "snapshots" and (real.parent.parent / "blobs").is_dir():
        return str(real.parent.parent)
    return str(real)


def _is_writable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _writable(name: str) -> str:
    return name.encode("utf-8", "replace").decode()


def _check_name(name: str, where: str) -> None:
    if not _is_writable(name):
        raise UsageError("the name of the file is not UTF-8", where=_writable(where), hint="rename it")
