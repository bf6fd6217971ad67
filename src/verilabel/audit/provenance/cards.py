"""What stands beside the data: Croissant files, Hugging Face cards, dataset_infos and licence files.

Everything read here was written by others. A file that is not what it must be becomes a `Problem` and ends nothing;
a claim that can be checked (a digest of a file that is here) is checked, and one that only looks like a digest is said
to be none (spec/audit.md 4.6).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from verilabel.audit.interface import Batch, Check
from verilabel.audit.provenance.card_files import (
    Card,
    Claim,
    read_croissant,
    read_dataset_infos,
    read_hub_card,
)
from verilabel.audit.provenance.digests import DigestBudget
from verilabel.errors import MalformedInput, UsageError

MAX_CARD_BYTES = 16 * 2**20
MAX_CARDS = 1_000
MAX_ENTRIES = 100_000
MAX_DEPTH = 6
HASHED_BYTES = 8 * 2**30
_LICENCE_NAMES = ("license", "licence", "copying", "unlicense", "eula", "terms")
_CARD_NAMES = ("readme.md", "datasetcard.md", "dataset_card.md")
_INFO_NAMES = ("dataset_infos.json", "dataset_info.json")


class Problem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that could not be read as what its name says, or was not read."""

    path: str
    reason: str


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the cards beside some data say, and what of it is wrong."""

    cards: tuple[Card, ...]
    problems: tuple[Problem, ...]


def read_cards(
    inputs: Path | Sequence[Path],
    *,
    licences: Callable[[], Check] | None = None,
    hashed_bytes: int = HASHED_BYTES,
) -> Declared:
    """Read the cards in folders and files, by rising path.

    `licences` opens the check that reads licence files (made from the shipped texts where it is not given, at some
    seconds' cost, if such a file is there). Of files that a card names at most `hashed_bytes` are read, all together.
    Raises UsageError for an input that is not there; everything else is a `Problem`.
    """
    roots = [inputs] if isinstance(inputs, Path) else list(inputs)
    problems: list[Problem] = []
    cards: list[Card] = []
    budget = DigestBudget(hashed_bytes)
    reader = _LicenceReader(licences)
    for root in roots:
        if not root.exists():
            raise UsageError("there is no such file or folder", where=str(root))
        base = root if root.is_dir() else root.parent
        for path in _list_cards(root, problems):
            name = path.relative_to(base).as_posix()
            try:
                card = _read_card(path, name, base, budget, reader)
            except MalformedInput as error:
                problems.append(Problem(name, error.message))
            except OSError as error:
                problems.append(Problem(name, f"cannot be read: {os.strerror(error.errno or 0)}"))
            else:
                cards += [card] if card else []
    return Declared(tuple(cards), tuple(problems))


def _list_cards(root: Path, problems: list[Problem]) -> Iterator[Path]:
    """Files that can be cards, links left out, at most MAX_CARDS; says where it stopped."""
    if not root.is_dir():
        yield root
        return
    found = 0
    for path in _walk(root, problems):
        if _kind_of(path.name) is None:
            continue
        found += 1
        if found > MAX_CARDS:
            problems.append(Problem(".", f"more than {MAX_CARDS} cards: the others were not read"))
            return
        yield path


def _walk(root: Path, problems: list[Problem]) -> Iterator[Path]:
    entries = 0
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if len(Path(folder).relative_to(root).parts) >= MAX_DEPTH:
            if folders:
                problems.append(
                    Problem(Path(folder).relative_to(root).as_posix(), "deeper folders were not read")
                )
            folders[:] = []
        for name in sorted(files):
            entries += 1
            if entries > MAX_ENTRIES:
                problems.append(Problem(".", f"more than {MAX_ENTRIES} files: the others were not looked at"))
                return
            yield Path(folder) / name


def _kind_of(name: str) -> str | None:
    lowered = name.lower()
    stem = lowered.rsplit(".", 1)[0]
    if lowered in _CARD_NAMES:
        return "hub"
    if lowered in _INFO_NAMES:
        return "infos"
    if lowered.endswith("croissant.json") or lowered in ("metadata.json", "croissant.jsonld"):
        return "croissant"
    if stem in _LICENCE_NAMES or stem.split("-", maxsplit=1)[0] in _LICENCE_NAMES[:3]:
        return "licence"
    return None


def _read_bytes(path: Path) -> bytes:
    """A regular file, whole. Raises MalformedInput for other things and for files beyond MAX_CARD_BYTES."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise MalformedInput("not a regular file", where=str(path))
        content = file.read(MAX_CARD_BYTES + 1)
    if len(content) > MAX_CARD_BYTES:
        raise MalformedInput(f"longer than {MAX_CARD_BYTES} bytes", where=str(path))
    return content


def _read_card(
    path: Path, name: str, base: Path, budget: DigestBudget, reader: _LicenceReader
) -> Card | None:
    kind = _kind_of(path.name) or _guess_kind(path.name)
    content = _read_bytes(path)
    if kind == "hub":
        return read_hub_card(content, name)
    if kind == "infos":
        return read_dataset_infos(content, name)
    if kind == "croissant":
        return read_croissant(content, name, path.parent, base, budget)
    return reader.read(content, name)


def _guess_kind(name: str) -> str:
    """Of a file that a person named: by its ending."""
    if name.lower().endswith((".json", ".jsonld")):
        return "croissant"
    return "hub" if name.lower().endswith(".md") else "licence"


class _LicenceReader:
    """Reads licence files with the check of licences, opened when the first one comes."""

    def __init__(self, opening: Callable[[], Check] | None) -> None:
        self._opening = opening
        self._check: Check | None = None

    def read(self, content: bytes, name: str) -> Card:
        """What licences a file holds."""
        from verilabel.audit.kernels.tokens import cut_words

        if self._check is None:
            self._check = self._opening() if self._opening else _open_check()
        text = content.decode("utf-8", "replace").encode()
        data = np.frombuffer(text, np.uint8).copy()
        batch = Batch(data, np.array([0, len(data)], np.int64), np.zeros(1, np.int64))
        table = self._check.examine(batch, cut_words(batch)).tables["licences"]
        claims = tuple(Claim("", (str(identifier),)) for identifier in dict.fromkeys(table["licence"]))
        return Card(path=name, kind="licence file", licences=claims)


def _open_check() -> Check:
    from verilabel.audit.licences.check import LicenceCheck
    from verilabel.audit.licences.index import build_index

    return LicenceCheck(build_index())
