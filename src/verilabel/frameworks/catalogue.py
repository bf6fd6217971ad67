"""Catalogues of published frameworks: their items by id, as data with a source and the day they were last checked.

A catalogue holds ids, short titles and what evidence could speak to an item; it is no copy of the framework's text.
`check` is this project's own classification: auto (a tool can tell), hybrid (a tool helps a person), person.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from verilabel.errors import MalformedInput, UsageError
from verilabel.records.strict_yaml import load_strict_yaml

FORMAT = "framework/v1"
BUNDLED = Path(__file__).parent / "data"
MAX_BYTES = 2**18
T = TypeVar("T")
Text = Annotated[str, Meta(min_length=1, max_length=2000)]
Identifier = Annotated[str, Meta(pattern=r"^[a-z0-9]+((--|[./-])[a-z0-9]+)*$", max_length=200)]
ItemId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]+([ ._:@+-][A-Za-z0-9]+)*$", max_length=100)]
Checked = Annotated[str, Meta(pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$")]
"""A day, a month or a year: as exact as it is known."""


class FrameworkSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the framework is published."""

    title: Text
    uri: Text
    publisher: Text
    licence: str | None = None
    locator: str | None = None


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item of a framework: a subcategory, a measure, a hazard, an article."""

    id: ItemId
    kind: ItemId
    title: str | None = None
    check: Literal["auto", "hybrid", "person"] | None = None
    evidence: str | None = None
    """What of a bundle, a log or a governance record could speak to it."""


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A framework's items. `version` is the framework's own."""

    id: Identifier
    version: Text
    title: Text
    last_checked: Checked
    source: FrameworkSource
    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=5000)]
    note: str | None = None

    @property
    def name(self) -> str:
        """`id@version`."""
        return f"{self.id}@{self.version}"

    @property
    def ids(self) -> frozenset[str]:
        """The ids of its items."""
        return frozenset(item.id for item in self.items)

    def kinds(self) -> dict[str, int]:
        """Kind of item to how many there are."""
        return dict(Counter(item.kind for item in self.items))


def load_catalogue(data: bytes, where: str) -> Catalogue:
    """Read a catalogue. Raises MalformedInput with the path of the mistake, such as `x.yaml $.items[3].id`."""
    catalogue = read_document(data, where, FORMAT, Catalogue)
    refuse_twice([item.id for item in catalogue.items], where, "$.items", "id")
    return catalogue


def read_document(data: bytes, where: str, form: str, kind: type[T]) -> T:
    """A strict YAML document of a format as a struct.

    Raises MalformedInput for another format, and with the path of the first value that is not what it must be.
    """
    document = load_strict_yaml(data, where=where, max_bytes=MAX_BYTES)
    if not isinstance(document, dict) or document.get("verilabel") != form:
        raise MalformedInput(f"the file begins with `verilabel: {form}`", where=f"{where} $.verilabel")
    fields: dict[str, Any] = {key: value for key, value in document.items() if key != "verilabel"}
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        place = path.strip("`") or "$"
        raise MalformedInput(
            message.replace("`", "'").lower()[:1] + message.replace("`", "'")[1:], where=f"{where} {place}"
        ) from None


def refuse_twice(values: list[str], where: str, path: str, key: str) -> None:
    """Raise MalformedInput for the first value that stands twice in a list."""
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            raise MalformedInput(f"{value!r} stands twice", where=f"{where} {path}[{index}].{key}")
        seen.add(value)


def bundled_catalogues() -> tuple[Catalogue, ...]:
    """The catalogues that come with the package, by id."""
    paths = sorted((BUNDLED / "catalogues").glob("*.yaml"))
    return tuple(sorted((load_catalogue(p.read_bytes(), p.name) for p in paths), key=lambda c: c.id))


def bundled_catalogue(framework: str) -> Catalogue | None:
    """The bundled catalogue of an id; None where there is none. Its file is called after it."""
    for path in (BUNDLED / "catalogues").glob("*.yaml"):  # looked up in a list, so that an id is never a path
        if path.stem == framework:
            return load_catalogue(path.read_bytes(), path.name)
    return None


def find_catalogue(reference: str) -> Catalogue:
    """The catalogue of a bundled id or of a file. Raises UsageError where there is neither."""
    if (catalogue := bundled_catalogue(reference)) is not None:
        return catalogue
    path = Path(reference)
    if path.is_file():
        return load_catalogue(read_bounded(path), reference)
    known = [path.stem for path in (BUNDLED / "catalogues").glob("*.yaml")]
    raise UsageError(f"no framework {reference!r}", hint=nearest(reference, known, "frameworks"))


def read_bounded(path: Path) -> bytes:
    """A file's bytes, never many more than are allowed; a larger file is then refused by its size."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def nearest(word: str, known: Iterable[str], what: str) -> str:
    """A hint: the nearest known word, or all of them where they are few."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"did you mean {near[0]!r}?" if near else f"{what}: {listed or 'none'}"
