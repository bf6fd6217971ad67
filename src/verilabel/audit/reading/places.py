"""Where stored bytes are: a path of this machine, or a URL that fsspec reads.

Remote bytes are copied into a temporary file before they are read, so that their digest is known first.
"""

from __future__ import annotations

import contextlib
import errno
import re
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from verilabel.audit.reading import reasons
from verilabel.audit.reading.interface import ShardChanged
from verilabel.audit.reading.storing import BLOCK_BYTES, changed, open_file
from verilabel.audit.reading.torn import Torn
from verilabel.errors import LimitExceeded, MissingExtra, UsageError, VerilabelError

MOST_COPIED = 64 * 2**30
"""Stored bytes of a remote file that cannot be cut; longer ones have to be fetched first."""
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.ASCII)
_LOCAL = ("file", "local")
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class RemoteFile(NamedTuple):
    """What a listing says of a file."""

    name: str
    """Below the folder that was listed, or that a pattern begins with."""
    url: str
    size: int


def is_remote(place: str) -> bool:
    """Whether a place is a URL of another machine or store."""
    scheme = _SCHEME.match(place)
    return scheme is not None and scheme.group(1) not in _LOCAL


def local_path(place: str) -> str:
    """A place as a path: `file://` taken off."""
    scheme = _SCHEME.match(place)
    return place[scheme.end() :] if scheme and scheme.group(1) in _LOCAL else place


def open_store(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it.

    Raises UsageError for a scheme that nobody knows, MissingExtra where its package is not installed.
    """
    try:
        import fsspec
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingExtra("fsspec", "audit") from None
    scheme = url.partition("://")[0]
    if "::" in url:
        raise UsageError("chained URLs (::) are not read", where=url, hint="fetch the file first")
    if scheme not in fsspec.available_protocols():
        raise UsageError(
            f"nothing is known about URLs of {scheme!r}",
            where=url,
            hint="s3://, gs://, az://, https:// and hf:// are; each may need its own package",
        )
    try:
        store, path = url_to_fs(url)
    except ImportError as error:
        raise UsageError(
            f"a package for {scheme}:// is not installed: {error}", where=url, hint="install it with pip"
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"the store cannot be opened: {type(error).__name__}", where=url) from None
    return store, str(path)


@contextlib.contextmanager
def reach(url: str) -> Iterator[None]:
    """Errors of a store as ours: it is not there, it is not ours to read, it does not answer."""
    try:
        yield
    except VerilabelError:
        raise
    except FileNotFoundError:
        raise UsageError("there is no such file", where=url) from None
    except PermissionError:
        raise UsageError("the store refuses to give it", where=url, hint="check the credentials") from None
    except Exception as error:  # every store has errors of its own
        raise UsageError(f"the store cannot be read: {type(error).__name__}", where=url) from None


def list_remote(url: str) -> list[RemoteFile]:
    """The files of a URL: one file, those that match a pattern, or all below a folder, by name."""
    store, path = open_store(url)
    scheme = url.partition("://")[0]
    with reach(url):
        parts = path.split("/")
        patterns = [place for place, part in enumerate(parts) if set(part) & set("*?[")]
        folder = path
        if patterns and scheme not in ("http", "https"):
            found = store.glob(path, detail=True)
            folder = "/".join(parts[: patterns[0]])
        elif scheme in ("http", "https") or store.isfile(path):
            info = store.info(path)
            return [RemoteFile(path.rpartition("/")[2] or "file", url, _size(info, url))]
        else:
            found = store.find(path, detail=True)
    files = [
        RemoteFile(
            name.removeprefix(folder.rstrip("/") + "/"), store.unstrip_protocol(name), _size(info, url)
        )
        for name, info in sorted(found.items())
        if info.get("type", "file") == "file"
    ]
    if not files:
        raise UsageError("there is no such file", where=url)
    return files


def _size(info: dict[str, Any], url: str) -> int:
    size = info.get("size")
    if not isinstance(size, int) or isinstance(size, bool):
        raise UsageError("the store does not say how long the file is", where=url, hint="fetch it first")
    return size


class RemoteCopier:
    """Copies stretches of one remote file to their own places in a temporary file."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._store, self._path = open_store(url)
        self._info = self._look()
        self.size = _size(self._info, url)

    def _look(self) -> dict[str, Any]:
        try:
            self._store.invalidate_cache(self._path)
            return dict(self._store.info(self._path))
        except FileNotFoundError:
            raise changed(self.url, "is gone") from None
        except PermissionError:
            raise Torn(reasons.FORBIDDEN) from None
        except Exception:
            raise Torn(reasons.UNREADABLE) from None

    def copy(self, stretches: Sequence[tuple[int, int]], file: BinaryIO) -> None:
        """Copy the stretches (start, end). Raises ShardChanged where the file is not what it was, Torn where it cannot
        be read, LimitExceeded where it is longer than MOST_COPIED."""
        total = sum(end - start for start, end in stretches)
        if total > MOST_COPIED:
            raise LimitExceeded(
                f"a remote file that cannot be cut has {total} bytes, at most {MOST_COPIED} are copied",
                where=self.url,
                hint="fetch it first, and name the local file",
            )
        try:
            for start, end in stretches:
                self._copy_stretch(start, end, file)
        except ShardChanged:
            raise
        except Exception as error:  # every store has errors of its own
            if isinstance(error, OSError) and error.errno in _DISK_FULL:
                raise  # this machine's, and no property of the file
            raise Torn(reasons.UNREADABLE) from None
        if _marks(self._look()) != _marks(self._info):
            raise changed(self.url, "changed while it was read")
        file.flush()

    def _copy_stretch(self, start: int, end: int, file: BinaryIO) -> None:
        file.seek(start)
        if (start, end) == (0, self.size):
            # from beginning to end even stores can read that have no ranges
            with self._store.open(self._path, "rb", **self._streaming()) as source:
                at = 0
                while part := source.read(BLOCK_BYTES):
                    at += len(part)
                    if at > end:
                        break
                    file.write(part)
            if at != end:
                raise changed(self.url, "is not as long as it was")
            return
        for at in range(start, end, BLOCK_BYTES):
            behind = min(at + BLOCK_BYTES, end)
            part = self._store.cat_file(self._path, start=at, end=behind)
            if len(part) != behind - at:
                raise changed(self.url, "is not as long as it was")
            file.write(part)

    def _streaming(self) -> dict[str, int]:
        return {"block_size": 0} if self.url.startswith(("http://", "https://")) else {}


def _marks(info: dict[str, Any]) -> tuple[str, ...]:
    """What changes when a stored file does: its size and whatever mark the store gives it."""
    names = (
        "size",
        "ETag",
        "etag",
        "mtime",
        "LastModified",
        "last_modified",
        "updated",
        "generation",
        "blob_id",
    )
    return tuple(str(info.get(name)) for name in names)


@contextlib.contextmanager
def open_place(place: str, stretches: Sequence[tuple[int, int]] | None = None) -> Iterator[BinaryIO]:
    """A file for reading at any place; of a remote one, the stretches (or all) are there.

    Raises Torn where it cannot be read, ShardChanged where it is gone.
    """
    if not is_remote(place):
        with open_file(local_path(place)) as file:
            yield file
        return
    copier = RemoteCopier(place)
    with tempfile.TemporaryFile(buffering=0) as copy:
        file = copy
        file.truncate(copier.size)
        copier.copy([(0, copier.size)] if stretches is None else stretches, file)
        yield file


@contextlib.contextmanager
def peek_place(place: str) -> Iterator[BinaryIO]:
    """A file at any place, to look into while planning; of some servers it can be read from its beginning only.

    Raises Torn where a local one cannot be read, ShardChanged where it is gone, UsageError where a store does not
    give it.
    """
    if not is_remote(place):
        with open_file(local_path(place)) as file:
            yield file
        return
    store, path = open_store(place)
    with reach(place):
        # a web server that does not offer ranges gives files from their beginning only
        streams = place.startswith(("http://", "https://")) and store.info(path).get("partial") is not True
        source = store.open(path, "rb", block_size=0) if streams else store.open(path, "rb")
    try:
        yield _Beginning(source) if streams else source  # type: ignore[misc]
    finally:
        source.close()


class _Beginning:
    """A stream that says of itself that it cannot go back."""

    def __init__(self, source: BinaryIO) -> None:
        self.read = source.read

    def seekable(self) -> bool:
        return False
