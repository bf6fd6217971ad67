"""Text as UTF-8 can carry it: halves of characters joined, also over parts of a stream, lone ones made U+FFFD."""

from __future__ import annotations

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class SurrogateJoiner:
    """Joins surrogate halves of a stream of text; whatever the parts are, the joined results are the same."""

    def __init__(self) -> None:
        self.carry = ""
        """A first half whose second may follow."""

    def join(self, text: str) -> str:
        """The next part, without a first half at its end, which is kept."""
        text = self.carry + text
        self.carry = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            self.carry, text = text[-1], text[:-1]
        return join_surrogates(text)

    def finish(self) -> str:
        """What was kept."""
        kept, self.carry = self.carry, ""
        return REPLACEMENT if kept else ""


def join_surrogates(text: str) -> str:
    """The text with pairs of surrogates as one character and lone ones as U+FFFD; most texts as they are."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
