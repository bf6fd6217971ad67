"""The manifest `bundle.json`: every sealed file of a bundle with its size and digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from verilabel.errors import MalformedInput
from verilabel.evidence.layout import BUNDLE_FORMAT, MANIFEST, REQUIRED, check_path, is_unlisted, role_of
from verilabel.records.canonical import digest, is_digest, jcs, parse_json


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a bundle."""

    path: str
    size: int
    sha256: str
    role: str
    visibility: Literal["public", "gated", "sealed"] = "public"


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All files of a bundle but those that seal it."""

    format: str
    entries: tuple[Entry, ...]

    def bytes(self) -> bytes:
        """The canonical bytes of `bundle.json`."""
        return jcs(msgspec.to_builtins(self))

    @property
    def digest(self) -> str:
        """The digest that the label's statement signs."""
        return digest(self.bytes())


def make_manifest(folder: Path, paths: list[str]) -> Manifest:
    """The manifest of a folder's files."""
    entries = []
    for path in sorted(paths):
        with (folder / path).open("rb") as file:
            sha = hashlib.file_digest(file, "sha256").hexdigest()
        entries.append(
            Entry(check_path(path), (folder / path).stat().st_size, f"sha256:{sha}", role_of(path))
        )
    return Manifest(BUNDLE_FORMAT, tuple(entries))


def parse_manifest(data: bytes) -> Manifest:
    """Read `bundle.json` strictly. Raises MalformedInput for another format, an odd path or a spelling of its own."""
    document = parse_json(data, where=MANIFEST)
    found = document.get("format") if isinstance(document, dict) else None
    if found != BUNDLE_FORMAT:
        raise MalformedInput(
            f"format {found!r} is not known to this version",
            where=f"{MANIFEST} $.format",
            hint=f"it reads {BUNDLE_FORMAT}",
        )
    try:
        manifest = msgspec.convert(document, Manifest)
    except msgspec.ValidationError as error:
        raise MalformedInput(str(error), where=MANIFEST) from error
    for index, entry in enumerate(manifest.entries):
        where = f"{MANIFEST} $.entries[{index}]"
        check_path(entry.path)
        if is_unlisted(entry.path) or entry.role != role_of(entry.path):
            raise MalformedInput(f"{entry.path} may not be listed with the role {entry.role!r}", where=where)
        if not is_digest(entry.sha256) or entry.size < 0:
            raise MalformedInput(f"{entry.path} has no proper digest or size", where=where)
    paths = [entry.path for entry in manifest.entries]
    if paths != sorted(set(paths)):
        raise MalformedInput("the entries are not in path order, or one stands twice", where=MANIFEST)
    if missing := [path for path in REQUIRED if path not in paths]:
        raise MalformedInput(f"a bundle needs {missing[0]}", where=MANIFEST)
    if manifest.bytes() != data:
        raise MalformedInput("not in canonical form", where=MANIFEST)
    return manifest


def check_presence(manifest: Manifest, sizes: Mapping[str, int]) -> None:
    """Check that exactly the listed files are there, in their sizes. Raises MalformedInput naming the first misfit."""
    listed = {entry.path: entry.size for entry in manifest.entries}
    for path, size in listed.items():
        if path not in sizes:
            raise MalformedInput(f"{path} is listed and not there", where=MANIFEST)
        if sizes[path] != size:
            raise MalformedInput(f"{path} has {sizes[path]} bytes, the manifest says {size}", where=MANIFEST)
    for path in sizes:
        if path not in listed and not is_unlisted(path):
            raise MalformedInput(f"{path} is there and not listed", where=MANIFEST)
