"""A draft as Markdown: names from outside are text in it, never markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from verilabel.audit.exporting.eu_summary import DRAFT, OPEN, Block, Grid, Heading, Question

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def render_markdown(blocks: Sequence[Block]) -> str:
    """The draft's text."""
    return "\n\n".join(_render(block) for block in blocks) + "\n"


def _render(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {escape_markdown(block.text)}"
    if isinstance(block, Question):
        answer = f"**[{OPEN}]**" if block.answer is None else escape_markdown(block.answer)
        asked = escape_markdown(block.asked) + ("" if block.asked.endswith("?") else ":")
        found = "\n>\n".join(f"> From the audit: {escape_markdown(text)}" for text in block.found)
        return f"**{asked}** {answer}" + (f"\n\n{found}" if found else "")
    if isinstance(block, Grid):
        rows = [[escape_markdown(cell) for cell in row] for row in (block.headings, *block.rows)]
        rows.insert(1, ["---"] * len(block.headings))
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)
    if block.text == DRAFT:
        return f"> **{escape_markdown(block.text)}**"
    return escape_markdown(block.text)


def escape_markdown(text: str) -> str:
    """Text on one line in which nothing is markup, and unseen characters are written as `U+202E`."""
    shown = "".join(
        character if character.isprintable() else " " if character in "\n\t\r" else f"U+{ord(character):04X}"
        for character in text
    )
    return _SPECIAL.sub(r"\\\1", shown)
