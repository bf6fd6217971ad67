"""The one place that knows the compiler: typed functions in, compiled functions with the same types out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from verilabel.errors import MissingExtra

try:
    import numba
except ImportError as error:
    raise MissingExtra("numba", "audit") from error

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function over arrays and numbers at its first call; later processes find it on disk."""
    return cast(F, numba.njit(nogil=True, cache=True)(function))


def inlined(function: F) -> F:
    """Compile a small function into each of its callers."""
    return cast(F, numba.njit(nogil=True, cache=True, inline="always")(function))
