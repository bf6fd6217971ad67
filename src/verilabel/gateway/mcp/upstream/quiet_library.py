"""The protocol library's log, kept quiet: its warnings and tracebacks repeat what servers and clients sent.

Without a handler Python prints warnings of every library to standard error: a notification that does not fit, an answer
that is no JSON would stand there with its text, terminal sequences among it.
"""

from __future__ import annotations

import logging

LIBRARIES = ("mcp", "httpx2", "httpcore2")


def keep_library_quiet() -> None:
    """Let nothing of the libraries that read messages reach a log, at whatever level the process logs."""
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
