"""Shards of inputs: small texts together, large files in parts, everything else as it is."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from verilabel.audit.interface import Bytes
from verilabel.audit.reading import reasons
from verilabel.audit.reading.columns import choose_columns, find_texts, parse_path
from verilabel.audit.reading.csv_rows import MOST_HEADER, read_header
from verilabel.audit.reading.inflating import inflate
from verilabel.audit.reading.interface import Compression, Shard, ShardChanged
from verilabel.audit.reading.json_lines import parse_object
from verilabel.audit.reading.listing import Found, list_local, name_form
from verilabel.audit.reading.parquet import ParquetFile, find_stretches, plan_cuts
from verilabel.audit.reading.places import is_remote, list_remote, local_path, peek_place
from verilabel.audit.reading.repositories import MOST_CARD, is_hub, list_hub, select_data
from verilabel.audit.reading.texts import file_name, mark_unreadable
from verilabel.audit.reading.torn import Torn
from verilabel.audit.settings import Form, Selection
from verilabel.errors import MalformedInput, UsageError

MOST_LOOKED_INTO = 16
"""Files of each form whose columns are looked for when an input is planned; a later one without them is unread."""
MOST_GROUPED = 4_096
"""Files of a shard of small texts."""
_HEAD_BYTES = 2**20
_HEAD_LINES = 100
_SEARCH_BYTES = 2**20


class File(NamedTuple):
    """A file with its form."""

    found: Found
    form: Form
    compression: Compression


def plan_inputs(inputs: Sequence[str], selection: Selection) -> list[Shard]:
    """The shards of inputs, in the order of their names; names below two inputs that are the same are told apart.

    Raises UsageError for what is not there or cannot be read, MalformedInput where nothing of an input can be, or for
    a column that is missing or not text.
    """
    if not inputs:
        raise UsageError("there is nothing to audit", hint="name files, folders or data sets")
    for path in selection.columns:
        parse_path(path)
    listed = [(given, *_list_input(given)) for given in inputs]
    planned = []
    for place, (given, label, found) in enumerate(listed):
        prefix = _tell_apart(place, listed)
        shards = _plan_input(given, found, selection)
        named = [
            Shard(
                prefix + (f"{label}/" if label else "") + shard.name,
                shard.form,
                shard.compression,
                shard.files,
                shard.start,
                shard.end,
                shard.bytes,
            )
            for shard in shards
        ]
        planned.extend(named)
    return sorted(planned, key=lambda shard: shard.name)


def _tell_apart(place: int, listed: list[tuple[str, str, list[Found]]]) -> str:
    """What stands before the names of an input: nothing, where no other input has one of them."""
    names = {file.name for file in listed[place][2]}
    others = [
        other
        for other, (_, _, found) in enumerate(listed)
        if other != place and names & {f.name for f in found}
    ]
    if not others:
        return ""
    own = file_name(listed[place][0]) or "input"
    rivals = [other for other in others if (file_name(listed[other][0]) or "input") == own]
    return f"{place + 1}-{own}/" if rivals else f"{own}/"


def _list_input(given: str) -> tuple[str, list[Found]]:
    """What names of an input begin with, and its files."""
    if not given:
        raise UsageError("an input has an empty name")
    if is_hub(given):
        return list_hub(given)
    if is_remote(given):
        return "", [Found(*file) for file in list_remote(given)]
    path = local_path(given)
    found = list_local(path)
    if not Path(path).is_dir():
        return "", found
    if not found:
        raise MalformedInput("the folder is empty", where=given)
    return "", select_data(found, given, lambda file: _read_head(file.place, MOST_CARD))


def _read_head(place: str, size: int) -> bytes:
    with peek_place(place) as file:
        return file.read(size)


def _plan_input(given: str, found: list[Found], selection: Selection) -> list[Shard]:
    single = len(found) == 1
    files = [_name_form(file, selection, single) for file in found]
    texts = [file for file in files if file.form == "text"]
    shards = list(_plan_texts(texts, selection))
    looked: dict[str, int] = {}
    broken: list[str] = []
    for file in files:
        if file.form == "text":
            continue
        looked[file.form] = looked.get(file.form, 0) + 1
        look = looked[file.form] <= MOST_LOOKED_INTO
        try:
            shards.extend(_plan_file(file, selection, look))
        except Torn as torn:
            if single and torn.reason in (reasons.FORBIDDEN, reasons.UNREADABLE, reasons.NO_FILE):
                raise UsageError(f"the file: {torn.reason}", where=file.found.place) from None
            broken.append(torn.reason)
            shards.append(_whole(file))
    if broken and len(broken) == len(files):
        raise MalformedInput(
            f"nothing of this can be read: {broken[0]}",
            where=given,
            hint="fetch or write it again, from its source",
        )
    return shards


def _name_form(file: Found, selection: Selection, single: bool) -> File:
    form, compression = name_form(file.name)
    if file.problem:
        return File(file, "text", "")
    if form is None:
        form = selection.form
    stem = file.name.lower().removesuffix(".gz").removesuffix(".zst").removesuffix(".zstd")
    if form is None and stem.endswith(".json") and (single or is_hub(file.place)):
        head = b"".join(part.tobytes() for part in _read_start(file, compression))
        line = head.split(b"\n", 1)[0]
        form = "jsonl" if parse_object(line)[0] is not None else "text"
    return File(file, form or "text", compression)


def _whole(file: File) -> Shard:
    found = file.found
    return Shard(found.name, file.form, file.compression, (found.place,), bytes=found.size)


def _part(file: File, number: int, start: int, end: int, size: int) -> Shard:
    name = f"{file.found.name}#{number:05d}"
    return Shard(name, file.form, file.compression, (file.found.place,), start, end, size)


def _plan_texts(files: list[File], selection: Selection) -> Iterator[Shard]:
    """Small files of this machine side by side, in the order of their names; large and remote ones alone."""
    group: list[Found] = []
    size = 0
    for file in files:
        found = file.found
        alone = file.compression or is_remote(found.place) or found.size > selection.shard_bytes
        if alone and not found.problem:
            yield _whole(file)
            continue
        if group and (size + found.size > selection.shard_bytes or len(group) >= MOST_GROUPED):
            yield _group(group, size)
            group, size = [], 0
        group.append(found)
        size += found.size
    if group:
        yield _group(group, size)


def _group(group: list[Found], size: int) -> Shard:
    files = tuple(mark_unreadable(file.place, file.problem) if file.problem else file.place for file in group)
    more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
    return Shard(group[0].name + more, "text", "", files, bytes=size)


def _plan_file(file: File, selection: Selection, look: bool) -> list[Shard]:
    """The shards of one table. Raises Torn where it cannot be read at all, MalformedInput for columns."""
    large = file.found.size > selection.shard_bytes
    if file.form == "parquet" and (look or large):
        return _plan_parquet(file, selection, look)
    if look and file.form in ("jsonl", "csv"):
        _look_into(file, selection)
    if large and file.form == "jsonl" and not file.compression:
        return _cut_lines(file, selection)
    return [_whole(file)]


def _plan_parquet(file: File, selection: Selection, look: bool) -> list[Shard]:
    with _peek(file.found.place) as source:
        if not source.seekable():
            return [_whole(file)]
        table = ParquetFile(source)
        footer = table.footer()
        if look:
            table.choose(selection, file.found.place)
    cuts = plan_cuts(footer, selection.shard_bytes)
    if len(cuts) < 2:
        return [_whole(file)]
    return [
        _part(file, number, start, end, sum(b - a for a, b in find_stretches(footer, start, end)))
        for number, (start, end) in enumerate(cuts)
    ]


@contextlib.contextmanager
def _peek(place: str) -> Iterator[BinaryIO]:
    try:
        with peek_place(place) as file:
            yield file
    except ShardChanged:
        raise UsageError("there is no such file", where=place) from None


def _cut_lines(file: File, selection: Selection) -> list[Shard]:
    """Parts that end with a line, near multiples of the size that is asked for."""
    size = file.found.size
    cuts = [0]
    with _peek(file.found.place) as source:
        if not source.seekable():
            return [_whole(file)]
        for near in range(selection.shard_bytes, size - selection.shard_bytes // 4, selection.shard_bytes):
            if near > cuts[-1]:
                cuts.append(_behind_line(source, near - 1, size))
    cuts = sorted({*cuts, size})
    if len(cuts) < 3:
        return [_whole(file)]
    return [
        _part(file, number, start, end, end - start)
        for number, (start, end) in enumerate(itertools.pairwise(cuts))
    ]


def _behind_line(source: BinaryIO, at: int, size: int) -> int:
    """Behind the first LF from a place on, or the end."""
    while at < size:
        try:
            source.seek(at)
            block = source.read(_SEARCH_BYTES)
        except OSError:
            raise Torn(reasons.UNREADABLE) from None
        if not block:
            break
        place = block.find(b"\n")
        if place >= 0:
            return at + place + 1
        at += len(block)
    return size


def _read_start(found: Found, compression: Compression) -> list[Bytes]:
    """The beginning of a file, uncompressed; as much of it as can be read."""
    with _peek(found.place) as source:
        try:
            stored = source.read(_HEAD_BYTES)
        except OSError:
            raise Torn(reasons.UNREADABLE) from None
    blocks = inflate(iter([np.frombuffer(bytearray(stored), np.uint8)]), len(stored), compression)
    head: list[Bytes] = []
    held = 0
    try:
        for block in blocks:
            head.append(block)
            held += len(block)
            if held >= _HEAD_BYTES:
                break
    except Torn:
        # where only a part was taken the stream is torn for that reason alone
        if not head and len(stored) == found.size:
            raise
    return head


def _look_into(file: File, selection: Selection) -> None:
    """See whether the columns are in the beginning of a file. Raises MalformedInput, Torn."""
    head = b"".join(block.tobytes() for block in _read_start(file.found, file.compression))
    if file.form == "csv":
        names, _, _ = read_header(head[:MOST_HEADER], delimiter_of(file.found.name), file.found.place)
        if names:
            choose_columns(names, selection, file.found.place)
        return
    whole = len(head) < _HEAD_BYTES
    lines = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", _HEAD_LINES)
    if len(lines) > _HEAD_LINES or not whole:
        lines = lines[:-1]
    lines = [line for line in lines if line.strip()]
    objects = [found for line in lines if (found := parse_object(line)[0]) is not None]
    if objects:
        _check_objects(objects, selection, file.found.place)
    elif lines:
        raise Torn(reasons.POINTER if head.startswith(b"version https://git-lfs") else reasons.NOT_OBJECT)


def _check_objects(objects: list[dict[str, Any]], selection: Selection, where: str) -> None:
    names = list(dict.fromkeys(name for found in objects for name in found))
    columns = choose_columns(names, selection, where)
    told = [find_texts(found, columns) for found in objects]
    if all(texts == "not text" for texts in told):
        kinds = sorted({type(found[columns[0]]).__name__ for found in objects if columns[0] in found})
        raise MalformedInput(
            f"the column {columns[0]!r} is not text",
            where=where,
            hint="name a path to the texts with --column, such as messages[].content"
            if {"list", "dict"} & set(kinds)
            else "choose another one with --column",
        )


def delimiter_of(name: str) -> str:
    """What stands between the fields of a table, by the name of its file."""
    parts = PurePosixPath(name.lower()).suffixes[-2:]
    return "\t" if ".tsv" in parts else ","
