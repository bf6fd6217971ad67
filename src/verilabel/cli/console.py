"""What commands print: text for people, JSON for programs, errors on standard error with their status."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from verilabel.errors import ExitStatus, VerilabelError


def add_json_flag(parser: ArgumentParser) -> None:
    """Give a command its `--json`."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=not _writes_all(sys.stdout), default=str))


def _writes_all(stream: TextIO) -> bool:
    """True if a stream can write every character; elsewhere JSON needs its own escapes."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in aligned columns; numbers are set to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(heading), *(len(row[i]) for row in cells)]) for i, heading in enumerate(headings)]
    right = [
        bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(headings))
    ]

    def line(row: Sequence[str]) -> str:
        return "  ".join(
            c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)
        ).rstrip()

    print(line(list(headings)))
    print("  ".join("-" * width for width in widths))
    for row in cells:
        print(line(row))


def plain(text: str) -> str:
    """Text from outside on one line: nothing in it can pass for a line of ours or move the cursor."""
    from verilabel.report.untrusted import show_unseen

    return show_unseen(text, one_line=True)


def plain_error(error: VerilabelError) -> str:
    """An error in words: message and place, and the hint on a line of its own."""
    text = plain(error.message if error.where is None else f"{error.message} @ {error.where}")
    return text if error.hint is None else f"{text}\n  hint: {plain(error.hint)}"


def report_error(error: VerilabelError, *, as_json: bool) -> int:
    """Print an error of the package's tree and return its exit status."""
    if as_json:
        document: Mapping[str, object] = {
            "error": error.code,
            "message": error.message,
            "where": error.where,
            "hint": error.hint,
            "status": int(error.status),
        }
        print(json.dumps(document, ensure_ascii=not _writes_all(sys.stderr)), file=sys.stderr)
    else:
        print(f"error: {plain_error(error)}", file=sys.stderr)
    return int(error.status)


def report_os_error(error: OSError, *, as_json: bool) -> int:
    """Print an operating-system error (no such file, disk full, permission) and return its exit status."""
    import errno

    status = ExitStatus.USAGE
    where = None if error.filename is None else str(error.filename)
    hint = (
        "free some space and run the same command again: it continues"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        else None
    )
    return report_error(
        _OsError(error.strerror or str(error), where=where, hint=hint, status=status), as_json=as_json
    )


class _OsError(VerilabelError):
    """An operating-system error dressed for printing."""

    def __init__(self, message: str, *, where: str | None, hint: str | None, status: ExitStatus) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status
