"""Checks a folder of audit files as if somebody had changed it, reading each file twice, line by line.

 1. marks      what headers, checkpoints and last lines say of how far other files went
 2. lines      each is canonical, numbered, and carries the h that follows from the line before
 3. ends       a file ends with `closed`; with part of a line where its process was killed; or is still written
 4. marks      every file reaches each of its marks, and had that h there; files that are named are there
 5. signatures with a key: all lines are covered by checkpoints that it signed, but those after the last one

What this cannot see without a checkpoint that was kept elsewhere: that the end of the newest file was cut away, or the
newest files altogether, where no other file names them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from verilabel.errors import LimitExceeded, MalformedInput, UsageError, VerilabelError
from verilabel.evidence.keys import PublicKey
from verilabel.evidence.note import open_note, parse_note
from verilabel.gateway.audit.lines import (
    MAX_LINE_BYTES,
    START,
    CheckpointLine,
    Closed,
    ControlLine,
    Gap,
    Head,
    Header,
    RecordLine,
    Unkeyed,
    decode_line,
    files_of,
    hash_line,
    torn_excess,
)
from verilabel.gateway.audit.trail import NOTE_TITLE, checkpoint_text

MAX_SHOWN = 200
"""Problems and unscanned requests that are listed one by one; all are counted."""
MAX_UNFINISHED = 1_000_000
End = Literal["closed", "open", "torn"]


class Problem(NamedTuple):
    """Something that an honest trail does not have. `line` counts from 1; 0 is the file as a whole."""

    file: str
    line: int
    says: str


class Mark(NamedTuple):
    """What one place says of a file: at so many lines it had this h."""

    file: str
    lines: int
    h: str
    by: str


@dataclass
class FileReport:
    """What was found in one file. `unsigned_tail` counts the lines after its last signed checkpoint."""

    name: str
    lines: int = 0
    records: int = 0
    end: End = "open"
    worker: str = ""
    first_us: int = 0
    last_us: int = 0
    checkpoints: int = 0
    unsigned_tail: int = 0


@dataclass
class Counts:
    """What the records say, over all files."""

    records: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    findings: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """(guard, rule, action, enforce or shadow)"""
    guard_errors: Counter[str] = field(default_factory=Counter)
    unscanned_requests: int = 0
    unscanned_replies: int = 0
    unscanned: list[str] = field(default_factory=list)
    """Ids of answered requests whose request or reply no guard looked at, the first `MAX_SHOWN`."""
    lost: int = 0
    unkeyed: int = 0
    """Refused requests without a key in force that are counted and have no records."""
    unfinished: int = 0
    """Requests that had begun and never ended: in flight when their process was killed, or still."""


@dataclass
class TrailReport:
    """What was found in a folder. It is intact where there are no problems."""

    files: list[FileReport] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    counts: Counts = field(default_factory=Counts)
    archived: list[str] = field(default_factory=list)
    """Files that are named, older than asked for, and not there."""

    @property
    def is_intact(self) -> bool:
        """True if nothing was found that an honest trail does not have."""
        return not self.problem_count

    def object(self, file: str, line: int, says: str) -> None:
        """Note a problem."""
        self.problem_count += 1
        if len(self.problems) < MAX_SHOWN:
            self.problems.append(Problem(file, line, says))


def verify_trail(
    folder: Path,
    *,
    keys: Sequence[PublicKey] = (),
    since: datetime | None = None,
    checkpoints: Iterable[bytes] = (),
    each: Callable[[RecordLine], None] | None = None,
) -> TrailReport:
    """Check every file of a folder; see the module. `each` is called with every record that is counted.

    `keys` are those that may sign checkpoints (none: signatures are not asked for). Records before `since` are checked
    and not counted, and files from before it may be gone. `checkpoints` are notes that were kept elsewhere. Raises
    UsageError where there are no audit files, SealError and MalformedInput for a note in `checkpoints` that is none.
    """
    paths, others = files_of(folder)
    if not folder.is_dir() or not (paths or others or checkpoints):
        raise UsageError(
            "there is no audit trail here", where=str(folder), hint="the gateway's `audit: folder`"
        )
    report = TrailReport()
    for path in others:
        report.object(path.name, 0, "this is no file that can be read")
    marks: dict[str, dict[int, Mark]] = {}
    successors: dict[str, str] = {}
    for mark in [*_marks_of_notes(checkpoints, keys), *_marks_of_files(paths, successors)]:
        _note_mark(mark, marks, report)
    since_us = 0 if since is None else int(since.timestamp() * 1e6)
    carried: dict[str, set[str]] = {}
    for path in paths:
        check = _FileCheck(path, keys, marks.get(path.name, {}), report, since_us, each)
        check.begun = carried.pop(path.name, set())
        check.run(successors.get(path.name))
        if check.next is not None:  # a request may end in the file of the next day
            carried[check.next] = check.begun
        else:
            report.counts.unfinished += len(check.begun)
    report.counts.unfinished += sum(map(len, carried.values()))
    _check_missing(marks, {path.name for path in (*paths, *others)}, since, report)
    return report


# -- marks ---------------------------------------------------------------------------------------------------


def _marks_of_notes(notes: Iterable[bytes], keys: Sequence[PublicKey]) -> Iterator[Mark]:
    for number, data in enumerate(notes, 1):
        where = f"checkpoint {number}"
        note = open_note(data, keys, where=where) if keys else parse_note(data, where=where)
        lines = note.text.split("\n")
        if len(lines) != 6 or lines[0] != NOTE_TITLE or not _is_count(lines[2]):
            raise MalformedInput("not a checkpoint of an audit trail", where=where)
        yield Mark(lines[1], int(lines[2]), lines[3], where)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _marks_of_files(paths: Iterable[Path], successors: dict[str, str]) -> Iterator[Mark]:
    """What the lines that are no records say of other files; what cannot be read is a matter of the second reading."""
    for path in paths:
        for line in _lines_of(path):
            if not line.startswith(b'{"kind":'):
                continue
            with suppress(MalformedInput):
                found = decode_line(line.rstrip(b"\n"), path.name)
                yield from _marks_of_line(found, path.name, successors)


def _marks_of_line(found: ControlLine | RecordLine, file: str, successors: dict[str, str]) -> Iterator[Mark]:
    heads: tuple[Head, ...] = ()
    if isinstance(found, Header):
        heads = found.heads if found.after is None else (*found.heads, found.after)
        if found.after is not None:
            successors[found.after.file] = file
    elif isinstance(found, CheckpointLine):
        heads = found.heads
    elif isinstance(found, Closed) and found.next is not None:
        yield Mark(found.next, 1, "", file)
    for head in heads:
        if head.lines >= 0:
            yield Mark(head.file, head.lines, head.h, file)


def _note_mark(mark: Mark, marks: dict[str, dict[int, Mark]], report: TrailReport) -> None:
    of_file = marks.setdefault(mark.file, {})
    known = of_file.get(mark.lines)
    if known is None or not known.h:
        of_file[mark.lines] = mark
    elif mark.h and mark.h != known.h:
        report.object(mark.file, mark.lines, f"{known.by} and {mark.by} saw different lines here")


def _check_missing(
    marks: Mapping[str, Mapping[int, Mark]], there: set[str], since: datetime | None, report: TrailReport
) -> None:
    for name in sorted(set(marks) - there):
        by = next(iter(marks[name].values())).by
        if since is not None and name[:16] < f"{since.astimezone(UTC):%Y%m%dT%H%M%SZ}":
            report.archived.append(name)
        else:
            report.object(name, 0, f"the file is missing; {by} names it")


def _lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file with their newlines; one that is too long comes in parts."""
    with path.open("rb", buffering=1 << 18) as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            yield line


# -- one file ------------------------------------------------------------------------------------------------


class _FileCheck:
    """The second reading of one file."""

    def __init__(
        self,
        path: Path,
        keys: Sequence[PublicKey],
        marks: Mapping[int, Mark],
        report: TrailReport,
        since_us: int,
        each: Callable[[RecordLine], None] | None,
    ) -> None:
        self._path = path
        self._keys = keys
        self._marks = dict(marks)
        self._report = report
        self._since_us = since_us
        self._each = each
        self._found = FileReport(path.name)
        self._previous = START
        self._key: str | None = None
        self.begun: set[str] = set()
        """Ids of requests that began and have not ended."""
        self.next: str | None = None
        """The file that continues this one."""

    def run(self, successor: str | None) -> None:
        """Read the file and add what was found to the report. `successor` is the file that says it continues this."""
        self._report.files.append(self._found)
        for line in _lines_of(self._path):
            self._found.lines += 1
            if line.endswith(b"\n"):
                self._take(line[:-1])
            elif len(line) > MAX_LINE_BYTES:
                self._object(f"a line of over {MAX_LINE_BYTES} bytes")
                break
            else:
                self._take_torn(line)
        self._check_end(successor)

    def _object(self, says: str) -> None:
        self._report.object(self._path.name, self._found.lines, says)

    def _take(self, line: bytes) -> None:
        number = self._found.lines
        self._found.unsigned_tail += 1
        if self._found.end == "closed":
            self._object("a line behind the last one")
        expected = hash_line(line, self._previous)
        try:
            found = decode_line(line, f"{self._path.name}:{number}")
        except (MalformedInput, LimitExceeded) as error:
            self._object(error.message)
            self._previous = expected
            return
        if found.n != number - 1:
            self._object(f"line {found.n + 1} stands here: lines were removed, added, doubled or swapped")
        if found.h != expected.hex():
            self._object("its h does not follow from it and the line before: one of them was changed")
        mark = self._marks.pop(number, None)
        if mark is not None and mark.h and mark.h != found.h:
            self._object(f"{mark.by} saw another line here")
        if (number == 1) != isinstance(found, Header):
            self._object("a file has one header, its first line")
        self._read(found)
        # from the line's own h, so that one changed line is not reported at all that follow
        with suppress(ValueError):
            self._previous = bytes.fromhex(found.h) if len(found.h) == 64 else expected

    def _take_torn(self, line: bytes) -> None:
        excess = torn_excess(line)
        is_cut_newline = excess == 0 and line.endswith(hash_line(line, self._previous).hex().encode() + b'"}')
        if excess is not None and not is_cut_newline:
            self._object("what stands at the end is more than part of a line")
        if self._found.end == "closed":
            self._object("something behind the last line")
        self._found.lines -= 1
        self._found.end = "torn"

    def _read(self, found: ControlLine | RecordLine) -> None:
        self._found.first_us = self._found.first_us or found.at_us
        self._found.last_us = found.at_us
        if isinstance(found, RecordLine):
            self._found.records += 1
            if found.at_us >= self._since_us:
                self._count(found)
        elif isinstance(found, Header):
            self._key, self._found.worker = found.key, found.worker
            if found.file != self._path.name:
                self._object(f"this is the file {found.file} under another name")
            if self._keys and found.key not in {key.line for key in self._keys}:
                self._object("its header names none of the given keys")
        elif isinstance(found, CheckpointLine):
            self._check_note(found)
        elif isinstance(found, Gap):
            self._report.counts.lost += found.lost
        elif isinstance(found, Unkeyed):
            self._report.counts.unkeyed += found.refused
        else:
            self._found.end, self.next = "closed", found.next
            self._found.unsigned_tail -= 1

    def _check_note(self, found: CheckpointLine) -> None:
        if found.note is None:
            if self._key is not None:
                self._object("a checkpoint without a signature in a file that has a key")
            return
        data, where = found.note.encode("utf-8"), f"{self._path.name}:{self._found.lines}"
        try:
            text = (
                open_note(data, self._keys, where=where) if self._keys else parse_note(data, where=where)
            ).text
        except VerilabelError as error:
            self._object(f"the checkpoint does not hold: {error.message}")
            return
        if text != checkpoint_text(self._path.name, self._found.lines - 1, self._previous.hex(), found.at_us):
            self._object("the checkpoint signs other lines than those before it")
            return
        self._found.checkpoints += 1
        self._found.unsigned_tail = 0

    def _count(self, found: RecordLine) -> None:
        counts = self._report.counts
        counts.records += 1
        counts.events[found.event] += 1
        if found.event == "begun":
            if len(self.begun) < MAX_UNFINISHED:
                self.begun.add(found.id)
        else:
            self.begun.discard(found.id)
        if found.event == "ended":  # what people do has no body that a guard could look at
            if found.outcome:
                counts.outcomes[found.outcome] += 1
            if found.outcome in ("answered", "cut"):
                _count_unscanned(found, counts)
        for finding in found.findings:
            mode = "shadow" if finding.shadow else "enforce"
            if finding.error:
                counts.guard_errors[finding.guard] += 1
            else:
                counts.findings[finding.guard, finding.rule, finding.action, mode] += finding.count
        if self._each is not None:
            self._each(found)

    def _check_end(self, successor: str | None) -> None:
        """Steps 3 to 5, once the whole file was read."""
        found = self._found
        if not found.lines:
            found.end = "torn"
        if successor is not None and (found.end != "closed" or self.next != successor):
            self._report.object(
                found.name, found.lines, f"{successor} continues it, and its last line is missing"
            )
        for lines, mark in sorted(self._marks.items()):
            if lines > found.lines:
                says = f"{mark.by} saw {lines} lines: lines at its end were removed"
                self._report.object(found.name, found.lines, says)
        if self._keys and not found.checkpoints and found.lines > 1:
            self._report.object(found.name, 0, "no checkpoint in it is signed with a given key")
        elif self._keys and found.end == "closed" and found.unsigned_tail:
            self._report.object(found.name, found.lines, "its last lines are not signed, and it was closed")


def _count_unscanned(found: RecordLine, counts: Counts) -> None:
    """Count what no guard looked at; a body without any text has a 0 for its direction, and was looked at."""
    directions = {name.partition(".")[0] for name in found.scanned}
    is_listed = False
    if "input" not in directions:
        counts.unscanned_requests += 1
        is_listed = True
    if "output" not in directions:
        counts.unscanned_replies += 1
        is_listed = True
    if is_listed and len(counts.unscanned) < MAX_SHOWN:
        counts.unscanned.append(found.id)
