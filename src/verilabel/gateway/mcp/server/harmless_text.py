"""Text that came out of a bundle, made fit for an agent: bounded, on one line, and nothing in it that is not seen."""

from __future__ import annotations

MAX_CHARS = 300


def show_plainly(text: str | None, limit: int = MAX_CHARS) -> str | None:
    """A text with what people do not see written out, cut at `limit` characters; None for None."""
    if text is None:
        return None
    line = "".join(char if char.isprintable() else f"\\u{{{ord(char):x}}}" for char in text[: limit + 1])
    return line if len(line) <= limit else line[: limit - 1] + "…"
