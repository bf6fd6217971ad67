"""The bundles of the served folders: found by walking, named by their place, verified when asked about.

A client never gives a path: it gives a name, which is looked up among those that walking found. Links are not followed,
neither to bundles nor to folders, and what verification finds is kept until the bundle's files change, or for
`KEEP_S` seconds at most, since validity goes by the clock.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from verilabel.errors import LimitExceeded, UsageError, VerilabelError
from verilabel.evidence.layout import MANIFEST
from verilabel.evidence.trust import TrustPolicy
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import verify_bundle
from verilabel.gateway.admission.shelf import State, state_of

MAX_BUNDLES = 200
MAX_DEPTH = 4
MAX_ENTRIES = 20_000
"""Names looked at in one walk: a folder with more is not one of bundles."""
MAX_BUNDLE_BYTES = 1 << 30
KEEP_S = 300.0
LAST_OF_LABEL = 9
"""Steps of the verifier up to this one say whether a label is genuine and follows; later ones, if it is in force."""
THREADS = 2
MAX_WAITING = 64
"""Questions that wait for a thread; one more is told to come again."""


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one bundle. `problem` says why no label stands by it, where none does."""

    name: str
    found: Verification | None = None
    problem: VerilabelError | None = None

    @property
    def follows(self) -> bool:
        """True if there is a label, and nothing says that it was changed or does not follow; it may be out of force."""
        found = self.found
        if found is None or found.label is None:
            return False
        return all(step.outcome != "failed" or step.number > LAST_OF_LABEL for step in found.steps)


class _Kept(msgspec.Struct, frozen=True):
    examined: Examined
    state: State
    at: float


class Library:
    """Bundles under folders; a folder may be a bundle itself. Raises UsageError for a folder that is not there."""

    def __init__(
        self,
        folders: Sequence[Path],
        trust: TrustPolicy | None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        max_entries: int = MAX_ENTRIES,
    ) -> None:
        self._max_entries = max_entries
        self._folders = tuple(_opened(folder) for folder in folders)
        self._trust = trust
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._threads = asyncio.Semaphore(THREADS)
        self._waiting = 0

    @property
    def now(self) -> datetime:
        """The moment by which validity and age are told."""
        return self._clock()

    def names(self) -> dict[str, Path]:
        """Every bundle's name and place, in order. Blocks on the disk."""
        found: dict[str, Path] = {}
        budget = [self._max_entries]
        for folder in self._folders:
            for path in _walk(folder, 0, budget):
                name = folder.name if path == folder else path.relative_to(folder).as_posix()
                found.setdefault(_free(name, found), path)
                if len(found) > MAX_BUNDLES:
                    raise LimitExceeded(
                        f"there are more than {MAX_BUNDLES} bundles", hint="serve fewer folders"
                    )
        return dict(sorted(found.items()))

    async def list_names(self) -> list[str]:
        """The names of all bundles."""
        return list(await asyncio.to_thread(self.names))

    async def examine(self, name: str) -> Examined:
        """What is known of one bundle. Raises UsageError where there is none of that name."""
        places = await asyncio.to_thread(self.names)
        if name not in places:
            raise UsageError(
                "no such bundle", where="bundle", hint="find_label and the resources name those there are"
            )
        return await self._examine(name, places[name])

    async def examine_all(self) -> list[Examined]:
        """What is known of every bundle, in the order of names."""
        places = await asyncio.to_thread(self.names)
        self._kept = {name: kept for name, kept in self._kept.items() if name in places}
        return [await self._examine(name, path) for name, path in places.items()]

    async def _examine(self, name: str, path: Path) -> Examined:
        if self._waiting >= MAX_WAITING:
            raise LimitExceeded("too many questions wait already", hint="ask again in a while")
        self._waiting += 1
        try:
            async with self._threads:
                return await asyncio.to_thread(self._look, name, path)
        finally:
            self._waiting -= 1

    def _look(self, name: str, path: Path) -> Examined:
        kept = self._kept.get(name)
        try:
            state = state_of(path)
            if kept is not None and kept.state == state and time.monotonic() - kept.at < KEEP_S:
                return kept.examined
            examined = self._verify(name, path, state)
            if state_of(path) != state:
                raise UsageError("the bundle changes while it is read", where=name, hint="ask again")
        except OSError as error:
            return Examined(name=name, problem=UsageError(error.strerror or "it cannot be read", where=name))
        except VerilabelError as error:
            return Examined(name=name, problem=without_place(error, path, name))
        self._kept[name] = _Kept(examined, state, time.monotonic())
        return examined

    def _verify(self, name: str, path: Path, state: State) -> Examined:
        from verilabel.detectors.catalogue import find_card
        from verilabel.suites.loading import find_suite

        if sum(size for _, size, *_ in state) > MAX_BUNDLE_BYTES:
            raise LimitExceeded(f"the bundle has more than {MAX_BUNDLE_BYTES} bytes", where=name)
        found = verify_bundle(
            path, trust=self._trust, now=self.now, find_card=find_card, find_suite=find_suite
        )
        problem = None if found.failure is None else without_place(found.failure, path, name)
        return Examined(name=name, found=found, problem=problem)


def without_place(error: VerilabelError, path: Path, name: str) -> VerilabelError:
    """The error with the bundle's name where its path on this machine stood."""
    for field in ("message", "where", "hint"):
        text = getattr(error, field)
        if text is not None:
            setattr(error, field, text.replace(str(path), name))
    return error


def _opened(folder: Path) -> Path:
    real = folder.resolve()
    if not real.is_dir() and not _is_zip(real):
        raise UsageError("there is no such folder", where=str(folder), hint="--bundles DIR, or a bundle")
    return real


def _walk(path: Path, depth: int, budget: list[int]) -> Iterator[Path]:
    if _is_bundle(path):
        yield path
        return
    if depth >= MAX_DEPTH or not _is_plain_folder(path):
        return
    try:
        with os.scandir(path) as entries:
            inside = sorted(entry.name for entry in entries)
    except OSError:
        return
    budget[0] -= len(inside)
    if budget[0] < 0:
        raise LimitExceeded("the folders hold too many names", hint="serve the folder of bundles alone")
    for name in inside:
        if not name.startswith(".") and name.isprintable():
            yield from _walk(path / name, depth + 1, budget)


def _is_bundle(path: Path) -> bool:
    return _is_zip(path) or (_is_plain_folder(path) and _is_plain_file(path / MANIFEST))


def _is_zip(path: Path) -> bool:
    return path.suffix == ".zip" and _is_plain_file(path)


def _is_plain_folder(path: Path) -> bool:
    return _kind_of(path) == stat.S_IFDIR


def _is_plain_file(path: Path) -> bool:
    return _kind_of(path) == stat.S_IFREG


def _kind_of(path: Path) -> int:
    try:
        return stat.S_IFMT(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return 0


def _free(name: str, taken: dict[str, Path]) -> str:
    number = 2
    free = name
    while free in taken:
        free = f"{name} ({number})"
        number += 1
    return free
