"""Names of tools as rules write them: `SERVER/TOOL`, with `*` for any characters and `?` for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from verilabel.errors import MalformedInput

_SymbolTest = Callable[[str, str], bool]

MAX_NAME = 256
"""Characters of a server's and of a tool's name; longer ones are denied unread."""


class Pattern(NamedTuple):
    """The two halves of a `match`. The server ends at the first `/`, so a tool's name may hold more of them."""

    server: str
    tool: str

    def matches(self, server: str, tool: str) -> bool:
        """True if it names this tool of this server. Case counts."""
        return matches_glob(self.server, server) and matches_glob(self.tool, tool)

    def covers(self, other: Pattern) -> bool:
        """True if surely every tool that `other` names is named by this one as well."""
        return covers_glob(self.server, other.server) and covers_glob(self.tool, other.tool)

    def may_meet(self, other: Pattern) -> bool:
        """True if some tool may be named by both."""
        return may_globs_meet(self.server, other.server) and may_globs_meet(self.tool, other.tool)


def parse_match(text: str, *, where: str | None = None) -> Pattern:
    """A `match` in its two halves. Raises MalformedInput where one of them is missing or too long."""
    server, slash, tool = text.partition("/")
    if not server or not slash or not tool:
        raise MalformedInput(
            f"{text[:80]!r} names no tool", where=where, hint='SERVER/TOOL, such as "mail/send" or "*/read_*"'
        )
    if len(server) > MAX_NAME or len(tool) > MAX_NAME:
        raise MalformedInput(f"a name has at most {MAX_NAME} characters", where=where)
    return Pattern(_collapse(server), _collapse(tool))


def _collapse(glob: str) -> str:
    while "**" in glob:
        glob = glob.replace("**", "*")
    return glob


def matches_glob(glob: str, text: str) -> bool:
    """True if the whole text fits a pattern of `*` and `?`; time is bounded by the product of the lengths."""
    if glob == "*":
        return True
    if "*" not in glob and "?" not in glob:
        return glob == text
    return _fits(glob, text, is_any=lambda symbol, _: symbol == "?")


def covers_glob(wide: str, narrow: str) -> bool:
    """True if surely every text that fits `narrow` fits `wide`.

    What stands for `*` and `?` in `narrow` can be any characters, so only `*` and `?` of `wide` can take them; runs
    of both are put in one order first (`?` before `*`).
    """
    wide, narrow = _order_wildcards(wide), _order_wildcards(narrow)
    if "*" in narrow and "*" not in wide:
        return False
    return _fits(wide, narrow, is_any=lambda symbol, char: symbol == "?" and char != "*")


def _order_wildcards(glob: str) -> str:
    parts: list[str] = []
    place = 0
    while place < len(glob):
        end = place
        while end < len(glob) and glob[end] in "*?":
            end += 1
        run = glob[place:end]
        if run:
            parts.append("?" * run.count("?") + ("*" if "*" in run else ""))
            place = end
        else:
            parts.append(glob[place])
            place += 1
    return "".join(parts)


def _fits(glob: str, text: str, is_any: _SymbolTest) -> bool:
    """Match with one place to come back to: behind the last `*`, which is enough for patterns of this kind."""
    at_glob = at_text = 0
    star, resumed = -1, 0
    while at_text < len(text):
        symbol = glob[at_glob] if at_glob < len(glob) else ""
        if symbol == "*":
            star, resumed = at_glob, at_text
            at_glob += 1
        elif symbol and (symbol == text[at_text] or is_any(symbol, text[at_text])):
            at_glob += 1
            at_text += 1
        elif star >= 0:
            resumed += 1
            at_glob, at_text = star + 1, resumed
        else:
            return False
    return not glob[at_glob:].strip("*")


def may_globs_meet(first: str, second: str) -> bool:
    """True if some text fits both patterns."""
    reached = {(0, 0)}
    seen = set(reached)
    while reached:
        at_first, at_second = reached.pop()
        if at_first == len(first) and at_second == len(second):
            return True
        for step in _steps(first, second, at_first, at_second):
            if step not in seen:
                seen.add(step)
                reached.add(step)
    return False


def _steps(first: str, second: str, i: int, j: int) -> list[tuple[int, int]]:
    left = first[i] if i < len(first) else ""
    right = second[j] if j < len(second) else ""
    steps = []
    if left == "*":
        steps.append((i + 1, j))
        if right:
            steps.append((i, j + 1))
    if right == "*":
        steps.append((i, j + 1))
        if left:
            steps.append((i + 1, j))
    if left and right and (left == right or "?" in (left, right)) and "*" not in (left, right):
        steps.append((i + 1, j + 1))
    return steps
