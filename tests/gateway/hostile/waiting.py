"""Waiting for what a process of its own will do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def until(holds: Callable[[], object], timeout_s: float = 20.0) -> bool:
    """True once `holds()` is; False if that takes longer than the patience of a test."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if holds():
            return True
        threading.Event().wait(0.02)
    return bool(holds())
