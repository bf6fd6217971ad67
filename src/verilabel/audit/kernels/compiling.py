"""The one place that knows the compiler: typed functions in, compiled functions with the same types out.

What is compiled is kept on disk, in a folder named after the sources of all kernels: the compiler itself looks at the
file of the outer function alone, and would run old code after a change in what it calls.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from verilabel.errors import MissingExtra

try:
    import numba
except ImportError as error:
    raise MissingExtra("numba", "audit") from error

F = TypeVar("F", bound=Callable[..., Any])
_AUDIT = Path(__file__).resolve().parent.parent


def compiled(function: F) -> F:
    """Compile a function over arrays and numbers at its first call; later processes find it on disk."""
    with _own_cache():
        return cast(F, numba.njit(nogil=True, cache=True)(function))


def inlined(function: F) -> F:
    """Compile a small function into each of its callers."""
    with _own_cache():
        return cast(F, numba.njit(nogil=True, cache=True, inline="always")(function))


@contextmanager
def _own_cache() -> Iterator[None]:
    """Where the compiler keeps what it makes of us; a folder that a person has set stays."""
    if numba.config.CACHE_DIR:
        yield
        return
    numba.config.CACHE_DIR = str(_cache_folder())
    try:
        yield
    finally:
        numba.config.CACHE_DIR = ""


def kept_root() -> Path:
    """Where things are kept: beside the sources where they can be written, else in the user's cache."""
    kept = _AUDIT / "__pycache__"
    if os.access(kept if kept.exists() else _AUDIT, os.W_OK):
        return kept
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "verilabel"


@cache
def _cache_folder() -> Path:
    return kept_root() / f"kernels-{_digest_sources()}"


def _digest_sources() -> str:
    sources = hashlib.sha256(numba.__version__.encode())
    for path in sorted([*_AUDIT.rglob("kernels/*.py"), *_AUDIT.rglob("kernel.py")]):
        sources.update(path.relative_to(_AUDIT).as_posix().encode() + b"\0" + path.read_bytes())
    return sources.hexdigest()[:16]
