"""Crosswalks: how the items of one framework relate to those of another, row by row, with a reason.

The relations are those of NIST IR 8477 for sets (subset_of, superset_of, intersects_with, equal, no_relationship) and
for support (supports, is_supported_by). A crosswalk that names an id its frameworks do not have is refused: a mapping
to something that is not there would read as if it were covered.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from verilabel.errors import MalformedInput, UsageError
from verilabel.frameworks.catalogue import (
    BUNDLED,
    Catalogue,
    Identifier,
    ItemId,
    Text,
    nearest,
    read_bounded,
    read_document,
)

FORMAT = "crosswalk/v1"
Relation = Literal[
    "subset_of", "superset_of", "intersects_with", "equal", "no_relationship", "supports", "is_supported_by"
]
FindCatalogue = Callable[[str], Catalogue | None]
"""The catalogue of an id, or a rubric seen as one; None where there is none."""


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the two frameworks, in the version that the crosswalk was made for."""

    id: Identifier
    version: Text


class Reviewer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who looked at the crosswalk."""

    name: Text


class CrosswalkRow(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from", "target": "to"}
):
    """One relation: the item `source` of the first framework to the item `target` of the second."""

    source: ItemId
    target: ItemId
    relation: Relation
    why: Text
    strength: Annotated[int, Meta(ge=1, le=10)] | None = None
    """How strong, in the judgement of whoever wrote it, from 1 to 10."""
    needs: tuple[Text, ...] = ()
    """What else is needed, such as an attestation."""


class Crosswalk(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"source": "from", "target": "to"},
    kw_only=True,
):
    """The rows between two frameworks. Relations read from `source` to `target`."""

    id: Identifier
    version: Text
    source: End
    target: End
    method: Text
    reviewed_by: Annotated[tuple[Reviewer, ...], Meta(min_length=1)]
    rows: Annotated[tuple[CrosswalkRow, ...], Meta(min_length=1, max_length=5000)]

    def uncovered(self, target: Catalogue) -> tuple[str, ...]:
        """The items of the second framework that no row relates to anything, in their order."""
        covered = {row.target for row in self.rows if row.relation != "no_relationship"}
        return tuple(item.id for item in target.items if item.id not in covered)


def load_crosswalk(data: bytes, where: str, find: FindCatalogue) -> Crosswalk:
    """Read a crosswalk and check every id in it.

    Raises MalformedInput with the path of the mistake (`x.yaml $.rows[3].to`): a framework that is not known or has
    another version, an id that it does not have, an unknown relation, a pair that stands twice.
    """
    crosswalk = read_document(data, where, FORMAT, Crosswalk)
    ends = {
        "from": _find_end(crosswalk.source, find, f"{where} $.from"),
        "to": _find_end(crosswalk.target, find, f"{where} $.to"),
    }
    seen: set[tuple[str, str]] = set()
    for index, row in enumerate(crosswalk.rows):
        here = f"{where} $.rows[{index}]"
        for key, item in (("from", row.source), ("to", row.target)):
            if item not in ends[key].ids:
                hint = nearest(item, ends[key].ids, "its items")
                raise MalformedInput(
                    f"{ends[key].name} has no item {item!r}", where=f"{here}.{key}", hint=hint
                )
        if (row.source, row.target) in seen:
            raise MalformedInput(f"{row.source!r} to {row.target!r} stands twice", where=here)
        seen.add((row.source, row.target))
    return crosswalk


def _find_end(end: End, find: FindCatalogue, where: str) -> Catalogue:
    catalogue = find(end.id)
    if catalogue is None:
        raise MalformedInput(f"no framework or rubric {end.id!r} is known", where=f"{where}.id")
    if catalogue.version != end.version:
        raise MalformedInput(
            f"made for {end.id} {end.version}, this is {catalogue.version}",
            where=f"{where}.version",
            hint="look at each row again, then write the new version",
        )
    return catalogue


def bundled_crosswalk_paths() -> tuple[Path, ...]:
    """The crosswalk files that come with the package."""
    return tuple(sorted((BUNDLED / "crosswalks").glob("*.yaml")))


def find_crosswalk(reference: str, find: FindCatalogue) -> Crosswalk:
    """The crosswalk of a bundled id or of a file. Raises UsageError where there is neither."""
    paths = {path.stem: path for path in bundled_crosswalk_paths()}
    path = paths.get(reference) or Path(reference)
    if not path.is_file():
        raise UsageError(f"no crosswalk {reference!r}", hint=nearest(reference, paths, "crosswalks"))
    return load_crosswalk(read_bounded(path), path.name if reference in paths else reference, find)
