"""Noticing that a configuration changed, and keeping the last good one where the new one is refused.

Files are looked at once a second, by time, size, inode and, where those changed or are fresh, by digest. A change is
acted on when two looks in a row see the same bytes, so that a file half written by an editor is waited for. What to
build and how to swap it in is the caller's; where that fails, nothing is swapped, and `state` says why.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from verilabel.errors import VerilabelError

EVERY_S = 1.0
MAX_WATCHED_BYTES = 64 * 2**20
"""Of a larger file, time and size alone are looked at."""
_FRESH_S = 3.0
"""A file that was written this short ago may change again within one tick of its clock."""


@dataclass(frozen=True)
class ReloadState:
    """How reloading stands. `error` says why the newest configuration is not in force, in words without contents."""

    reloads: int = 0
    failures: int = 0
    error: str | None = None
    error_where: str | None = None
    is_pending: bool = False
    """True if a change was seen and is waited on."""


@dataclass(frozen=True)
class _Sight:
    stat: tuple[int, int, int] | None
    digest: bytes | None


Rebuild = Callable[[], Awaitable[None]]
"""Reads, builds and swaps in what is new; raises where it cannot."""


class Watcher:
    """Watches files and rebuilds. `files` says what is watched (`reading.watched_files`), before each try again.

    `known` are the digests under which files were read before watching began (`reading.Loaded.digests`), so that a
    change in between is seen. It never raises for a configuration: not for files that go away, nor for anything that
    `rebuild` raises.
    """

    def __init__(
        self,
        rebuild: Rebuild,
        files: Callable[[], Iterable[Path]],
        *,
        known: Mapping[Path, str] | None = None,
        every_s: float = EVERY_S,
    ) -> None:
        self._rebuild = rebuild
        self._files = files
        self._every_s = every_s
        self._state = ReloadState()
        self._asked = asyncio.Event()
        self._looking = asyncio.Lock()
        self._watched: tuple[Path, ...] = tuple(files())
        self._seen = self._look_at_files({})
        read = {path: bytes.fromhex(text.removeprefix("sha256:")) for path, text in (known or {}).items()}
        self._settled = {
            path: replace(sight, digest=read.get(path, sight.digest)) for path, sight in self._seen.items()
        }

    def state(self) -> ReloadState:
        """How reloading stands."""
        return self._state

    def ask(self) -> None:
        """Reload at the next look, changed or not (SIGHUP). Called on the event loop."""
        self._asked.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self._every_s)
            await self.look()

    async def look(self) -> bool:
        """Look once; True if something new was put in force."""
        async with self._looking:
            is_asked = self._asked.is_set()
            self._asked.clear()
            seen = await asyncio.to_thread(self._look_at_files, self._seen)
            is_stable = _digests(seen) == _digests(self._seen)
            self._seen = seen
            is_changed = _digests(seen) != _digests(self._settled)
            if not is_asked and not (is_changed and is_stable):
                self._set_pending(is_changed)
                return False
            return await self._try()

    def _set_pending(self, is_pending: bool) -> None:
        if self._state.is_pending != is_pending:
            self._state = replace(self._state, is_pending=is_pending)

    async def _try(self) -> bool:
        before = self._state
        # Looked at before anything is read: what changes from here on is seen as a change, and tried once more.
        self._watched = await asyncio.to_thread(lambda: tuple(self._files()))
        self._seen = self._settled = await asyncio.to_thread(self._look_at_files, self._seen)
        try:
            await self._rebuild()
        except VerilabelError as error:
            return self._fail(error.message, error.where)
        except OSError as error:
            return self._fail(error.strerror or type(error).__name__, str(error.filename or "") or None)
        except Exception as error:
            return self._fail(f"{type(error).__name__} while building", None)
        self._state = ReloadState(before.reloads + 1, before.failures)
        return True

    def _fail(self, message: str, where: str | None) -> bool:
        self._state = ReloadState(self._state.reloads, self._state.failures + 1, message, where)
        return False

    def _look_at_files(self, known: dict[Path, _Sight]) -> dict[Path, _Sight]:
        now = time.time()
        return {path: _look_at(path, known.get(path), now) for path in self._watched}


def _digests(seen: dict[Path, _Sight]) -> dict[Path, object]:
    return {path: sight.digest or sight.stat for path, sight in seen.items()}


def _look_at(path: Path, known: _Sight | None, now: float) -> _Sight:
    try:
        stat = path.stat()
        times = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        is_fresh = abs(now - stat.st_mtime) < _FRESH_S
        if known is not None and known.stat == times and not is_fresh:
            return known
        if stat.st_size > MAX_WATCHED_BYTES:
            return _Sight(times, None)
        return _Sight(times, hashlib.sha256(path.read_bytes()).digest())
    except OSError:
        return _Sight(None, None)
