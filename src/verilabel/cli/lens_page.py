"""The lens as one HTML file: the same tables as in the terminal, without scripts and without a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from verilabel.cli.lens_words import Seen, name_reading, say_halves, say_side
from verilabel.evidence.atomic import write_file
from verilabel.report.frame import Frame
from verilabel.report.markup import Markup, element, join, table

CAUTION = (
    "Readings are not labels: nobody signed them and the run was not planned for them. Each errs at its own rubric's "
    "alpha, and all of them together more often. A rubric with an asterisk is our reading of that framework; it is no "
    "verdict of the body that keeps it."
)


def write_page(path: Path, seen: Sequence[Seen], *, read_at: datetime, overwrite: bool = False) -> None:
    """Write the page; it appears whole or not at all.

    Raises UsageError where the file is already there and `overwrite` is false, OSError where the disk refuses.
    """
    write_file(path, render_page(seen, read_at).encode("utf-8"), overwrite=overwrite)


def render_page(seen: Sequence[Seen], read_at: datetime) -> str:
    """The page's HTML. Whatever comes from a bundle or a rubric is text in it, never markup."""
    frame = Frame(
        title=f"{', '.join(item.path.name for item in seen)}: the same evidence under every rubric",
        kind="one evidence, every rubric",
        genuine=all(item.found.failure is None for item in seen),
        anchor="label",
        skip="To the readings",
        footer=element("p", f"Read at {read_at:%Y-%m-%dT%H:%M:%SZ}. The page itself is not signed."),
    )
    return frame.fill(join((element("p", CAUTION, id="label"), *(_show_bundle(item) for item in seen)), "\n"))


def _show_bundle(seen: Seen) -> Markup:
    claimed = "Claimed, not verified. " if seen.found.level == "V0" else ""
    failure = seen.found.failure
    return element(
        "section",
        element("h2", seen.path.name),
        element("p", f"{claimed}{seen.found.sentence}"),
        None if failure is None else element("p", f"It does not hold: {failure.message}"),
        _show_readings(seen),
        element("h3", "What could not be assessed"),
        table(("rubric", "what", "why"), _gaps(seen), caption="What could not be assessed"),
        element("h3", "Where they disagree and why"),
        table(
            ("about", "one finds", "another finds", "cause", "why"),
            _differences(seen),
            caption="Where rubrics disagree",
        ),
    )


def _show_readings(seen: Seen) -> Markup:
    rows = []
    for reading in seen.readings:
        low, high = say_halves(reading)
        notes = "; ".join(reading.notes)
        rows.append((name_reading(reading), low, high, f"{reading.assessed} of {len(reading.rows)}", notes))
    headings = ("rubric", "granted or established", "not excluded or not ruled out", "rows", "notes")
    return table(headings, rows, caption="The same evidence under every rubric")


def _gaps(seen: Seen) -> Iterator[tuple[str, str, str]]:
    for reading in seen.readings:
        for missing in reading.unassessed:
            yield reading.rubric.name, missing.what, missing.why


def _differences(seen: Seen) -> Iterator[tuple[str, str, str, str, str]]:
    for found in seen.disagreements:
        causes = ", ".join(found.causes).replace("_", " ")
        yield found.about, say_side(found.left), say_side(found.right), causes, found.why
