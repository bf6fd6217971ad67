"""The bundles of a gateway's labels, verified outside the event loop: at start, on change, and on a timer.

A bundle is read as one state: its files' sizes, times and inodes are noted before and after it was verified, and
where they differ it is verified again. So a bundle that is replaced never counts half old and half new. What was
found last stands while a changed bundle is verified, for `SETTLE_S` at most; then, and where a bundle is gone or
cannot be verified, no label stands.

On the timer the files are hashed, outside the interpreter's lock; where they are the same bytes they need not be
verified again, since the clock alone changes what was found (`labels` looks at it), unless others' statements are
enclosed: those are dated, and count by the time of reading.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from verilabel.errors import MalformedInput, UsageError, VerilabelError
from verilabel.evidence.container import Container, open_container
from verilabel.evidence.layout import GIVEN, MAX_FILES, MEASURES, STATEMENTS
from verilabel.evidence.reading import read_document
from verilabel.evidence.trust import TrustPolicy
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.canonical import parse_json

LOOK_EVERY_S = 1.0
SETTLE_S = 60.0
"""How long an older finding stands while its bundle's new state is verified."""
ABSENCE_S = 0.25
"""A bundle that is gone for less than this is one that is being replaced by two renames."""
ATTEMPTS = 5
THREADS = 2

State = tuple[tuple[str, int, int, int, int], ...]
"""Of each file: path, size, times of change of content and of inode in nanoseconds, inode."""


class Shelved(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one bundle. `failure` says why no label stands; `found` may be there beside it.

    `served` are the model names and fingerprints that answered when the label was made.
    """

    found: Verification | None = None
    served: frozenset[tuple[str, str]] = frozenset()
    failure: str | None = None
    is_absent: bool = False
    """True if there is no bundle; all else that keeps a label from standing is something else than none."""
    at: datetime
    state: State = ()
    hashed: bytes = b""
    """SHA-256 over all files, where the same bytes would be found the same; else empty."""
    round: int = 0
    """Grows whenever the bundle was verified, or was seen to hold the same bytes."""


def state_of(bundle: Path) -> State:
    """Which files a bundle has, in which state. Raises OSError where there is none, MalformedInput for too many."""
    real = bundle.resolve(strict=True)
    files = _files_of(real)
    if len(files) > MAX_FILES:
        raise MalformedInput(f"more than {MAX_FILES} files", where=str(bundle))
    noted = []
    for path in files:
        seen = os.lstat(path)
        name = path.relative_to(real.parent).as_posix()
        noted.append((name, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino))
    return tuple(noted)


class LabelShelf:
    """Verified bundles by path. `open` verifies all; then a task looks for changes every `look_every_s`.

    A path may be a symbolic link to a bundle: what it leads to is verified, and another target is a change. Without
    `trust` every verification counts the keys that the caller gave it by its own policy: give `trust_own_keys()`.
    """

    def __init__(
        self,
        bundles: Iterable[Path],
        trust: TrustPolicy,
        *,
        verify_every_s: float = 300.0,
        look_every_s: float = LOOK_EVERY_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clock = clock
        self._trust = trust
        self._verify_every_s = verify_every_s
        self._look_every_s = look_every_s
        self._shelved = {
            path: Shelved(failure="the bundle has not been verified yet", at=clock())
            for path in dict.fromkeys(bundles)
        }
        self._verified_at = dict.fromkeys(self._shelved, 0.0)
        self._listeners: list[Callable[[Path], None]] = []
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="labels")
        self._tasks: list[asyncio.Task[None]] = []
        self.rounds = 0
        """Verifications carried out so far."""
        self._turns = 0

    def find(self, bundle: Path) -> Shelved:
        """What is known of a bundle of this shelf."""
        return self._shelved[bundle]

    def listen(self, changed: Callable[[Path], None]) -> None:
        """Call `changed` with a bundle's path, on the event loop, whenever something new is known of it."""
        self._listeners.append(changed)

    async def open(self) -> None:
        """Verify every bundle, then keep looking in the background."""
        await asyncio.gather(*map(self._verify, self._shelved))
        self._tasks = [asyncio.create_task(self._keep_looking(bundle)) for bundle in self._shelved]

    async def close(self) -> None:
        """Stop looking."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def look(self) -> None:
        """Look once at every bundle; verify those that changed or whose time has come."""
        await asyncio.gather(*map(self._look_at, self._shelved))

    async def _look_at(self, bundle: Path) -> None:
        looking = asyncio.get_running_loop().run_in_executor(self._threads, _settled_state, bundle)
        try:
            state = await asyncio.wait_for(looking, SETTLE_S)
        except TimeoutError:
            waiting = f"its file system has not answered for {SETTLE_S:.0f} s"
            self._put(bundle, Shelved(failure=waiting, at=self._clock()))
            return
        shelved = self._shelved[bundle]
        is_due = time.monotonic() - self._verified_at[bundle] >= self._verify_every_s
        if state != shelved.state or (is_due and not shelved.hashed):
            await self._verify(bundle)
        elif is_due:
            await self._hash_again(bundle, shelved)

    async def _hash_again(self, bundle: Path, shelved: Shelved) -> None:
        hashing = asyncio.get_running_loop().run_in_executor(self._threads, _hash_files, bundle)
        if await asyncio.wait_for(hashing, SETTLE_S) != shelved.hashed:
            await self._verify(bundle)
            return
        self._verified_at[bundle] = time.monotonic()
        self._turns += 1
        self._put(bundle, msgspec.structs.replace(shelved, round=self._turns))

    async def _keep_looking(self, bundle: Path) -> None:
        while True:
            await asyncio.sleep(self._look_every_s)
            try:
                await self._look_at(bundle)
            except (
                Exception
            ) as error:  # whatever it is: a bundle that is not looked after any more does not stand
                says = f"it could not be looked at: {type(error).__name__}"
                self._put(bundle, Shelved(failure=says, at=self._clock()))

    async def _verify(self, bundle: Path) -> None:
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._examine, bundle)
        try:
            shelved = await asyncio.wait_for(asyncio.shield(work), SETTLE_S)
        except TimeoutError:
            waiting = f"verifying the bundle takes longer than {SETTLE_S:.0f} s"
            self._put(bundle, Shelved(failure=waiting, at=self._clock()))
            shelved = await work
        self.rounds += 1
        self._turns += 1
        self._verified_at[bundle] = time.monotonic()
        self._put(bundle, msgspec.structs.replace(shelved, round=self._turns))

    def _put(self, bundle: Path, shelved: Shelved) -> None:
        self._shelved[bundle] = shelved
        for changed in self._listeners:
            changed(bundle)

    def _examine(self, bundle: Path) -> Shelved:
        """Verify one state of a bundle (in the worker thread); never raises."""
        before: State = ()
        for _ in range(ATTEMPTS):
            before = _settled_state(bundle)
            shelved = self._examine_once(bundle, before)
            if _settled_state(bundle) == before:
                return shelved
        return Shelved(
            failure="the bundle changes faster than it can be verified", at=self._clock(), state=before
        )

    def _examine_once(self, bundle: Path, state: State) -> Shelved:
        from verilabel.detectors.catalogue import find_card
        from verilabel.suites.loading import find_suite

        now = self._clock()
        try:
            path = bundle.resolve(strict=True)
            found = verify_bundle(
                path, trust=self._trust, now=now, find_card=find_card, find_suite=find_suite
            )
            if found.label is None:
                return Shelved(found=found, failure=_first_line(found.failure), at=now, state=state)
            with open_container(path) as container:
                served = read_served(container)
                is_dated = any(name.startswith((STATEMENTS, GIVEN)) for name in container.sizes)
            hashed = b"" if is_dated or found.failure is not None else _hash_files(bundle)
        except FileNotFoundError:
            return Shelved(failure="there is no bundle", is_absent=True, at=now, state=state)
        except (VerilabelError, OSError) as error:
            return Shelved(failure=_first_line(error), at=now, state=state)
        except Exception as error:  # whatever a hostile bundle brings about, no label stands by it
            return Shelved(failure=f"it cannot be verified: {type(error).__name__}", at=now, state=state)
        failure = None if found.failure is None else _first_line(found.failure)
        return Shelved(found=found, served=served, failure=failure, at=now, state=state, hashed=hashed)


def read_served(container: Container) -> frozenset[tuple[str, str]]:
    """The (served model, fingerprint) pairs of a bundle's answers, empty where the provider said none.

    They stand in the document of counts, which verification has derived again byte for byte.
    """
    document = parse_json(read_document(container, MEASURES), where=MEASURES)
    return frozenset((row["served_model"], row["fingerprint"]) for row in document["served"])


def _hash_files(bundle: Path) -> bytes:
    """SHA-256 over the digests of a bundle's files in the order of their paths. Raises OSError."""
    whole = hashlib.sha256()
    for path in _files_of(bundle.resolve(strict=True)):
        with path.open("rb", buffering=0) as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.digest()


def _files_of(real: Path) -> list[Path]:
    return [real] if real.is_file() else sorted(path for path in real.rglob("*") if not path.is_dir())


def _settled_state(bundle: Path) -> State:
    """The state of a bundle; the empty one where there is none, and none comes within `ABSENCE_S`."""
    until = time.monotonic() + ABSENCE_S
    while True:
        try:
            return state_of(bundle)
        except (OSError, MalformedInput, RuntimeError):  # RuntimeError: a loop of links
            if time.monotonic() >= until:
                return ()
        time.sleep(0.01)


def _first_line(error: BaseException | None) -> str:
    if isinstance(error, UsageError | MalformedInput | VerilabelError):
        return error.message
    return f"it cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}"
