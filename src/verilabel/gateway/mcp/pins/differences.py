"""A lock in words, and what differs between two: for the person who decides whether a server may be pinned anew.

Texts were made harmless when they were locked; what is cut there for its length is named by its digest alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Literal

import msgspec

from verilabel.gateway.mcp.pins.lock import Lock, LockedObject, LockedTool
from verilabel.gateway.mcp.pins.unseen_text import show_address, show_name

MAX_DIFF_LINES = 60
Word = Literal["new", "changed", "removed", "renamed"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it was. `diff` are lines that begin with `-`, `+` or a space."""

    kind: Literal["tool", "resource", "prompt", "server", "instructions"]
    name: str
    change: Word
    parts: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()


def compare_locks(before: Lock | None, now: Lock) -> list[Difference]:
    """What is in `now` and was not, or was otherwise; without a lock before, everything is new."""
    found = list(_compare_server(before, now))
    found += _compare_objects("tool", () if before is None else before.tools, now.tools)
    found += _compare_objects("resource", () if before is None else before.resources, now.resources)
    found += _compare_objects("prompt", () if before is None else before.prompts, now.prompts)
    return found


def _compare_server(before: Lock | None, now: Lock) -> Iterator[Difference]:
    if before is None:
        yield _difference("server", now.server, "new", "", now.identity.shown)
        if now.instructions is not None:
            yield _difference("instructions", now.server, "new", "", now.instructions.shown)
        return
    wrong = [
        part
        for part, is_other in (
            ("name", before.server != now.server),
            ("command or address", before.reached_by != now.reached_by),
            ("identity", before.identity.digest != now.identity.digest),
        )
        if is_other
    ]
    if wrong:
        texts = before.identity.shown, now.identity.shown
        yield _difference("server", now.server, "changed", *texts, parts=tuple(wrong))
    if before.instructions != now.instructions:
        was = "" if before.instructions is None else before.instructions.shown
        says = "" if now.instructions is None else now.instructions.shown
        word: Word = "new" if before.instructions is None else "changed"
        yield _difference(
            "instructions", now.server, "removed" if now.instructions is None else word, was, says
        )


def _compare_objects(
    kind: Literal["tool", "resource", "prompt"],
    before: tuple[LockedTool, ...] | tuple[LockedObject, ...],
    now: tuple[LockedTool, ...] | tuple[LockedObject, ...],
) -> Iterator[Difference]:
    old = {each.name: each for each in before}
    new = {each.name: each for each in now}
    gone = {each.content: each.name for each in before if each.name not in new}
    renamed: set[str] = set()
    for name, each in new.items():
        was = old.get(name)
        if was is None and each.content in gone:
            renamed.add(gone[each.content])
            yield _difference(kind, name, "renamed", gone[each.content], name)
        elif was is None:
            yield _difference(kind, name, "new", "", each.shown or each.digest)
        elif was.digest != each.digest:
            texts = was.shown or was.digest, each.shown or each.digest
            yield _difference(kind, name, "changed", *texts, parts=_parts(was, each))
    for name, was in old.items():
        if name not in new and name not in renamed:
            yield _difference(kind, name, "removed", was.shown or was.digest, "")


def _parts(was: LockedTool | LockedObject, now: LockedTool | LockedObject) -> tuple[str, ...]:
    if not isinstance(was, LockedTool) or not isinstance(now, LockedTool):
        return ()
    before, after = was.parts(), now.parts()
    return tuple(sorted(part for part in before.keys() | after.keys() if before.get(part) != after.get(part)))


def _difference(
    kind: Literal["tool", "resource", "prompt", "server", "instructions"],
    name: str,
    change: Word,
    before: str,
    now: str,
    *,
    parts: tuple[str, ...] = (),
) -> Difference:
    shown = show_address(name) if kind == "resource" else show_name(name)
    return Difference(kind=kind, name=shown, change=change, parts=parts, diff=_diff(before, now))


def _diff(before: str, now: str) -> tuple[str, ...]:
    lines = difflib.unified_diff(_lines(before), _lines(now), lineterm="", n=1)
    kept = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    more = len(kept) - MAX_DIFF_LINES
    return (*kept[:MAX_DIFF_LINES], *((f"  ... {more} more lines",) if more > 0 else ()))


def _lines(text: str) -> list[str]:
    """Canonical JSON in lines that a person can compare: one for a field."""
    for mark in ('",', "},", "],", ":{"):
        text = text.replace(mark, mark + "\n")
    return text.replace("\\n", "\n").split("\n") if text else []
