"""Sealed bundles for tests: made by the product's own steps under fixed salts, and forged line by line."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from bundle_factory import ATTACKER, ATTACKER_LOG, ISSUED, ISSUER, LOG, PLANNED, Recipe, make_bundle
from verilabel.evidence import layout
from verilabel.evidence.container import Folder
from verilabel.evidence.log import Entry, LocalLog
from verilabel.evidence.manifest import Manifest, make_manifest
from verilabel.evidence.merkle import leaf_hash, root_of
from verilabel.evidence.ordering import Root
from verilabel.evidence.reading import read_plan
from verilabel.evidence.sealed.withholding import Choice, Withheld, withhold_records
from verilabel.evidence.sealing import PlanEntry, Sealing, sign_folder
from verilabel.records.canonical import digest

RESEALED = ISSUED + timedelta(hours=1)
EVERYTHING = Choice(everything=True)
PLAIN = Recipe()
Lines = list[dict[str, Any]]


class CountedSalts:
    """Salts that are the same in every run; no salt of this kind hides anything."""

    def __init__(self, seed: str = "salt") -> None:
        self._seed = seed
        self._count = 0

    def __call__(self) -> bytes:
        self._count += 1
        return hashlib.sha256(f"{self._seed} {self._count}".encode()).digest()


@dataclass(frozen=True)
class Made:
    """A folder with an open bundle, its sealed one and the openings."""

    folder: Path
    withheld: Withheld

    @property
    def open(self) -> Path:
        """The open bundle."""
        return self.folder / "bundle"

    @property
    def sealed(self) -> Path:
        """The sealed bundle."""
        return self.withheld.path

    @property
    def openings(self) -> Path:
        """The openings file."""
        return self.withheld.openings


def open_log(folder: Path) -> LocalLog:
    """The log in which a recipe's plan was logged."""
    return LocalLog.open(folder / "log", LOG, clock=lambda: PLANNED)


def make_sealed(folder: Path, recipe: Recipe = PLAIN, choice: Choice = EVERYTHING) -> Made:
    """Make an open bundle and its sealed one under `folder`."""
    make_bundle(folder, recipe)
    return seal_again(folder, choice)


def seal_again(folder: Path, choice: Choice = EVERYTHING, *, out: str = "sealed", seed: str = "salt") -> Made:
    """Seal the open bundle that lies in a folder."""
    with open_log(folder) as log:
        sealing = Sealing(ISSUER, log, RESEALED)
        withheld = withhold_records(
            folder / "bundle",
            folder / out,
            folder / f"{out}.openings",
            choice,
            sealing,
            draw=CountedSalts(seed),
        )
    return Made(folder, withheld)


def lines_of(bundle: Path, path: str = layout.EVIDENCE) -> Lines:
    """The records of a file of a bundle as documents."""
    return [json.loads(line) for line in (bundle / path).read_bytes().splitlines()]


def write_lines(bundle: Path, lines: Lines, path: str = layout.EVIDENCE) -> None:
    """Replace the records of a file, each as the program writes it."""
    encoded = (msgspec.json.encode(line) + b"\n" for line in lines)
    (bundle / path).write_bytes(b"".join(encoded))


def forge_lines(
    source: Path,
    target: Path,
    change: Callable[[Lines], object],
    *,
    visibility: dict[str, str] | None = None,
) -> Path:
    """Copy a sealed bundle, change its evidence lines in place, and seal the result with an attacker's keys."""
    shutil.copytree(source, target)
    lines = lines_of(target)
    change(lines)
    write_lines(target, lines)
    return reseal(target, visibility if visibility is not None else {layout.EVIDENCE: "sealed"})


def reseal(bundle: Path, visibility: dict[str, str]) -> Path:
    """Rebuild manifest, root, statement, signature and log of a bundle's folder."""
    for path in layout.UNLISTED:
        (bundle / path).unlink(missing_ok=True)
    for name in ("attestations", "log"):
        (bundle / name).rmdir()
    made = make_manifest(bundle, list(Folder(bundle).sizes))
    entries = [
        msgspec.structs.replace(entry, visibility=visibility.get(entry.path, "public"))
        for entry in made.entries
    ]
    manifest = Manifest(made.format, tuple(entries))
    (bundle / layout.MANIFEST).write_bytes(manifest.bytes())
    hashes = [leaf_hash(line) for line in (bundle / layout.EVIDENCE).read_bytes().splitlines()]
    place = bundle.with_name(f"{bundle.name}.forged-log")
    with LocalLog.create(place, ATTACKER_LOG, clock=lambda: ISSUED) as log:
        proof = log.append(Entry("verilabel.plan/v1", digest((bundle / layout.PLAN).read_bytes())))
        entry = PlanEntry(proof.bytes(), log.public_key.file_bytes())
        assert read_plan(Folder(bundle)).digest == digest((bundle / layout.PLAN).read_bytes())
        sealing = Sealing(ATTACKER, log, RESEALED)
        sign_folder(bundle, Root(root_of(hashes), len(hashes)), manifest, sealing, entry)
    shutil.rmtree(place)
    return bundle
