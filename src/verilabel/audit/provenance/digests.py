"""Digests that cards claim of files: checked where the file is here, and called what they are where they are none."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Literal

import msgspec

Outcome = Literal[
    "matches",
    "differs",
    "file not here",
    "not checked: too many bytes",
    "not a digest",
    "digest of nothing",
    "none given",
]
_LENGTHS = {"sha256": 64, "md5": 32}
_CHUNK = 2**20
_EMPTY = {"sha256": hashlib.sha256().hexdigest(), "md5": hashlib.md5(usedforsecurity=False).hexdigest()}


class DigestClaim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a card says of a file's digest, and what is true."""

    file: str
    """As the card names it."""
    algorithm: Literal["sha256", "md5", ""]
    claimed: str
    outcome: Outcome


class DigestBudget:
    """How many bytes may still be read to check digests."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, count: int) -> bool:
        """Whether so many bytes may be read; if so they are taken."""
        if count > self.left:
            return False
        self.left -= count
        return True


def is_digest(text: str, algorithm: str) -> bool:
    """Whether a text has a digest's form, and is no filler such as 64 zeros."""
    length = _LENGTHS[algorithm]
    return bool(re.fullmatch(rf"[0-9a-fA-F]{{{length}}}", text)) and len(set(text.lower())) > 4


def locate_file(url: str, folder: Path, base: Path) -> Path | None:
    """The file below `base` that a card in `folder` means by a relative path; None for addresses and ways out."""
    if not url or "://" in url or url.startswith(("/", "\\")) or "\0" in url or len(url) > 1024:
        return None
    try:
        target = (folder / url).resolve()
        return target if target.is_relative_to(base.resolve()) and target.is_file() else None
    except OSError:
        return None


def check_digest(
    file: str, algorithm: Literal["sha256", "md5"], claimed: object, target: Path | None, budget: DigestBudget
) -> DigestClaim:
    """Compare a claimed digest with the file, if it is here and there is budget for it."""
    text = claimed if isinstance(claimed, str) else ""
    shown = text[:100]
    if not is_digest(text, algorithm):
        return DigestClaim(file, algorithm, shown, "not a digest")
    if text.lower() == _EMPTY[algorithm] and not (target and target.stat().st_size == 0):
        return DigestClaim(file, algorithm, shown, "digest of nothing")
    if target is None:
        return DigestClaim(file, algorithm, shown, "file not here")
    found = _hash_file(target, algorithm, budget)
    if found is None:
        return DigestClaim(file, algorithm, shown, "not checked: too many bytes")
    return DigestClaim(file, algorithm, shown, "matches" if found == text.lower() else "differs")


def _hash_file(path: Path, algorithm: str, budget: DigestBudget) -> str | None:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or not budget.take(about.st_size):
            return None
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
