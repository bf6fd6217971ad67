"""Which columns hold the text, and which say where a document comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from verilabel.audit.settings import Selection
from verilabel.errors import MalformedInput, UsageError

USUAL = ("text", "content", "body", "document")
"""Without a choice, the text is in the one column that has one of these names."""
BESIDE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("url", ("url", "URL", "source")),
    ("date", ("date", "timestamp", "crawl_date", "created")),
    ("licence", ("licence", "license")),
)
"""What is read beside the text, by the first of these columns that has a value."""
_LISTED = 20
MOST_DEPTH = 16
Missing = Literal["no text", "not text"]


class Step(NamedTuple):
    """One step of a path: into a field, and then into each element of a list."""

    name: str
    each: int
    """How many lists stand in it: `a[]` has one, `a[][]` two."""


def parse_path(path: str) -> tuple[Step, ...]:
    """The steps of a path such as `messages[].content`. Raises UsageError for an empty one."""
    steps = []
    for part in path.split("."):
        name = part
        each = 0
        while name.endswith("[]"):
            name = name[:-2]
            each += 1
        if not name:
            raise UsageError(f"{path!r} is no path of a column", hint="such as text or messages[].content")
        steps.append(Step(name, each))
    if len(steps) + sum(step.each for step in steps) > MOST_DEPTH:
        raise UsageError(f"{path!r} is deeper than {MOST_DEPTH} steps")
    return tuple(steps)


def plain_name(path: str) -> bool:
    """Whether a path is the name of a top-level column."""
    return "." not in path and "[]" not in path


def choose_columns(
    available: Sequence[str], selection: Selection, where: str, nested: Iterable[str] = ()
) -> tuple[str, ...]:
    """The columns that hold the text of a table.

    `nested` are other paths that can be named, for the message. Raises MalformedInput where the chosen ones are not
    there, or none or several have a usual name.
    """
    if selection.columns:
        for path in selection.columns:
            if path not in available and parse_path(path)[0].name not in available:
                raise MalformedInput(
                    f"there is no column {path!r}", where=where, hint=_listing(available, nested)
                )
        return selection.columns
    usual = [name for name in USUAL if name in available]
    if len(usual) != 1:
        found = "no column is" if not usual else f"the columns {' and '.join(usual)} are both"
        raise MalformedInput(
            f"{found} called text, content, body or document",
            where=where,
            hint=f"say which is meant with --column; {_listing(available, nested)}",
        )
    return (usual[0],)


def _listing(available: Sequence[str], nested: Iterable[str]) -> str:
    names = [*available, *nested]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"the columns are {', '.join(names[:_LISTED])}{more}" if names else "there are no columns"


def find_texts(document: dict[str, Any], columns: Sequence[str]) -> list[str] | Missing:
    """The texts of a JSON object at the columns, in their order. Without columns, at the first usual name it has."""
    if not columns:
        present = next((name for name in USUAL if name in document), None)
        columns = () if present is None else (present,)
    found: list[str] = []
    for path in columns:
        values = [document[path]] if path in document else _walk(document, parse_path(path))
        for value in values:
            if value is None:
                continue
            if not isinstance(value, str):
                return "not text"
            found.append(value)
    return found or "no text"


def _walk(value: object, steps: Sequence[Step]) -> Iterator[object]:
    """The values at the end of a path. A list or an object where none is expected is a value, which is not text."""
    if not steps:
        yield value
        return
    step = steps[0]
    if value is None:
        return
    if not isinstance(value, dict):
        yield 0
        return
    for element in _elements(value.get(step.name), step.each):
        yield from _walk(element, steps[1:])


def _elements(value: object, each: int) -> Iterator[object]:
    if each == 0 or value is None:
        yield value
    elif isinstance(value, list):
        for element in value:
            yield from _elements(element, each - 1)
    else:
        yield 0


def find_beside(document: dict[str, Any]) -> list[str | None]:
    """What a JSON object says of url, date and licence."""
    return [
        next((said for name in names if (said := _said(document.get(name))) is not None), None)
        for _, names in BESIDE
    ]


def _said(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None
