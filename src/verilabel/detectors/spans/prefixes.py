"""Patterns as RE2 runs them, and the patterns of their viable prefixes: what a stream may still turn into a match."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from verilabel.errors import LimitExceeded, MalformedInput

MAX_WIDTH = 8192
"""Characters of the widest match of a pattern: what a stream holds back is bounded by it."""
MAX_PATTERN = 4000
"""Characters of a pattern as it is written."""
MAX_DEPTH = 40
"""Groups inside groups."""
EXACT_PREFIX = 300
"""Repeats counted in viable prefixes; what is repeated more often is held back as far as the widest match."""
RE2_REPEAT = 1000
"""RE2 counts no further in one repeat."""

_sre: Any = importlib.import_module("re._parser")
_CATEGORIES = {
    "CATEGORY_DIGIT": "0-9",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": "0-9A-Za-z_",
    "CATEGORY_NOT_WORD": r"\W",
}


class PatternTexts(NamedTuple):
    """A pattern in RE2's words."""

    full: str
    """Matches what the pattern matches; its one capturing group, if any, is `secret`."""
    prefix: str
    """Matches every non-empty text that can begin a match of the pattern, whole matches among them."""
    is_narrowed: bool
    """True if there is a group `secret`."""
    widest: int
    """Characters of the widest match."""
    body: str | None
    """The class of the single-character repeat without bound that ended the pattern, or None."""


class _Char(NamedTuple):
    text: str


class _Boundary(NamedTuple):
    pass


class _Sequence(NamedTuple):
    parts: tuple[Any, ...]


class _Choice(NamedTuple):
    branches: tuple[Any, ...]


class _Secret(NamedTuple):
    inner: Any


class _Repeat(NamedTuple):
    least: int
    most: int | None
    is_lazy: bool
    inner: Any


def translate_pattern(pattern: str, where: str, *, may_be_long: bool = True) -> PatternTexts:
    """A rule's pattern, in the syntax of Python's `re`, as RE2 texts.

    `\\d \\w \\s \\b` mean ASCII, as in RE2. A pattern that ends in one repeated character without bound, also before a
    final `\\b` where the class has all word characters, becomes a long kind (`may_be_long`): the least count stays in
    the pattern, the rest is its body. Raises MalformedInput for what a stream cannot be searched for exactly, and
    LimitExceeded above MAX_WIDTH; `where` names the rule.
    """
    tree, flags = _parse(pattern, where)
    if flags & ~(re.IGNORECASE | re.UNICODE):
        raise MalformedInput("of the flags a pattern may have (?i) alone", where=where)
    body: str | None = None
    if may_be_long:
        tree, body = _cut_tail(tree)
    least, widest = _width(tree, where)
    if least == 0:
        raise MalformedInput("the pattern matches the empty text", where=where, hint="ask for one character")
    if widest > MAX_WIDTH:
        raise LimitExceeded(
            f"a match of the pattern can have {widest} characters, the limit is {MAX_WIDTH}",
            where=where,
            hint="use smaller repeat counts, or `body` for kinds of any length",
        )
    secrets = sum(1 for node in _walk(tree) if isinstance(node, _Secret))
    full, prefix = _full(tree), _prefix(tree)
    if flags & re.IGNORECASE:
        full, prefix = f"(?i:{full})", f"(?i:{prefix})"
        body = None if body is None else f"(?i:{body})"
    return PatternTexts(full, prefix, secrets == 1, widest, body)


def translate_class(text: str, where: str) -> str:
    """A character class (the `body` of a rule) as RE2 text. Raises MalformedInput if it is anything else."""
    tree, flags = _parse(text, where)
    if not isinstance(tree, _Char) or flags & ~re.UNICODE:
        raise MalformedInput(
            "`body` must be one character class", where=where, hint="such as [A-Za-z0-9] or [^-]"
        )
    return tree.text


def _parse(pattern: str, where: str) -> tuple[Any, int]:
    if len(pattern) > MAX_PATTERN:
        raise LimitExceeded(
            f"a pattern of {len(pattern)} characters, the limit is {MAX_PATTERN}", where=where
        )
    try:
        parsed = _sre.parse(pattern)
    except re.error as error:
        raise MalformedInput(f"not a pattern: {error}", where=where) from error
    except (RecursionError, OverflowError) as error:
        raise LimitExceeded("a pattern nested too deep or repeated too often", where=where) from error
    names = parsed.state.groupdict
    return _read(list(parsed), names.get("secret"), where, 0), parsed.state.flags


def _read(items: list[Any], secret: int | None, where: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise LimitExceeded(f"a pattern with groups more than {MAX_DEPTH} deep", where=where)
    parts = tuple(_read_part(str(op), argument, secret, where, depth) for op, argument in items)
    return parts[0] if len(parts) == 1 else _Sequence(parts)


def _read_part(operator: str, argument: Any, secret: int | None, where: str, depth: int) -> Any:
    match operator:
        case "LITERAL":
            return _Char(_escape(argument))
        case "NOT_LITERAL":
            return _Char(f"[^{_escape(argument)}]")
        case "ANY":
            return _Char(r"[^\n]")
        case "IN":
            return _Char(_class_text(argument))
        case "BRANCH":
            return _Choice(tuple(_read(list(b), secret, where, depth + 1) for b in argument[1]))
        case "SUBPATTERN":
            return _read_group(argument, secret, where, depth)
        case "MAX_REPEAT" | "MIN_REPEAT":
            return _read_repeat(operator, argument, secret, where, depth)
        case "AT" if str(argument) == "AT_BOUNDARY":
            return _Boundary()
    word = str(argument if operator == "AT" else operator).lower().replace("_", " ")
    raise MalformedInput(
        f"{word} in a pattern is not supported",
        where=where,
        hint="patterns must run in linear time and on streams: of the anchors \\b, no look-around, no backreferences",
    )


def _read_group(argument: Any, secret: int | None, where: str, depth: int) -> Any:
    number, added, removed, inner = argument
    if added or removed:
        raise MalformedInput("flags for a part of a pattern are not supported", where=where)
    tree = _read(list(inner), secret, where, depth + 1)
    return _Secret(tree) if secret is not None and number == secret else tree


def _read_repeat(operator: str, argument: Any, secret: int | None, where: str, depth: int) -> Any:
    least, most, inner = argument
    bound = None if most is _sre.MAXREPEAT else int(most)
    tree = _read(list(inner), secret, where, depth + 1)
    if bound == 0:
        return _Sequence(())
    if any(isinstance(node, _Secret) for node in _walk(tree)) and bound != 1:
        raise MalformedInput("the group `secret` stands in a repeat", where=where)
    if bound is not None and bound > RE2_REPEAT and not isinstance(tree, _Char):
        raise LimitExceeded(f"a group is repeated more than {RE2_REPEAT} times", where=where)
    return _Repeat(int(least), bound, operator == "MIN_REPEAT", tree)


def _escape(code: int) -> str:
    char = chr(code)
    return char if char.isascii() and char.isalnum() else f"\\x{{{code:x}}}"


def _class_text(members: list[Any]) -> str:
    text = ""
    for operator, value in members:
        match str(operator):
            case "NEGATE":
                text = "^"
            case "LITERAL":
                text += _escape(value)
            case "RANGE":
                text += f"{_escape(value[0])}-{_escape(value[1])}"
            case _:
                text += _CATEGORIES[str(value)]
    return f"[{text}]"


def _walk(tree: Any) -> Iterator[Any]:
    yield tree
    match tree:
        case _Sequence(parts) | _Choice(parts):
            for part in parts:
                yield from _walk(part)
        case _Secret(inner) | _Repeat(inner=inner):
            yield from _walk(inner)


def _cut_tail(tree: Any) -> tuple[Any, str | None]:
    """The tree without the boundless repeat at its end, and the class that was repeated."""
    match tree:
        case _Repeat(least, None, False, _Char(text)):
            return (_Repeat(least, least, False, _Char(text)) if least else _Sequence(())), text
        case _Secret(inner):
            rest, body = _cut_tail(inner)
            return _Secret(rest), body
        case _Sequence((*before, last, _Boundary())):
            rest, body = _cut_tail(last)
            if body is not None and _has_all_word_characters(body):
                return _Sequence((*before, rest)), body
        case _Sequence((*before, last)):
            rest, body = _cut_tail(last)
            return _Sequence((*before, rest)), body
    return tree, None


def _has_all_word_characters(text: str) -> bool:
    # the class is the operator's and one character wide: Python's re cannot be slow here
    found = re.compile(re.sub(r"\\x\{([0-9a-f]+)\}", lambda m: re.escape(chr(int(m[1], 16))), text), re.ASCII)
    word = [chr(code) for code in range(128) if chr(code).isalnum() or chr(code) == "_"]
    return all(found.fullmatch(char) for char in word)


def _width(tree: Any, where: str) -> tuple[int, int]:
    match tree:
        case _Char():
            return 1, 1
        case _Sequence(parts):
            widths = [_width(part, where) for part in parts]
            return sum(w[0] for w in widths), sum(w[1] for w in widths)
        case _Choice(branches):
            widths = [_width(branch, where) for branch in branches]
            return min(w[0] for w in widths), max(w[1] for w in widths)
        case _Secret(inner):
            return _width(inner, where)
        case _Repeat(least, most, _, inner):
            if most is None:
                raise MalformedInput(
                    "a repeat without bound (* + {n,}) in a pattern",
                    where=where,
                    hint="give a bound such as {1,64}; for kinds of any length use `body` and `end`",
                )
            low, high = _width(inner, where)
            return low * least, high * most
    return 0, 0


def _full(tree: Any) -> str:
    match tree:
        case _Char(text):
            return str(text)
        case _Boundary():
            return r"\b"
        case _Sequence(parts):
            return "".join(_full(part) for part in parts)
        case _Choice(branches):
            return "(?:" + "|".join(_full(branch) for branch in branches) + ")"
        case _Secret(inner):
            return f"({_full(inner)})"
    inner_text = tree.inner.text if isinstance(tree.inner, _Char) else f"(?:{_full(tree.inner)})"
    return _counted(inner_text, tree.least, tree.most, "?" if tree.is_lazy else "")


def _counted(text: str, least: int, most: int | None, lazy: str = "") -> str:
    if most is None:
        raise ValueError("a repeat without bound")  # `_width` has refused it
    written = ""
    while most > RE2_REPEAT:
        taken = min(least, RE2_REPEAT)
        written += f"{text}{{{taken},{RE2_REPEAT}}}{lazy}"
        least, most = least - taken, most - RE2_REPEAT
    return f"{written}{text}{{{least},{most}}}{lazy}" if most else written


def _prefix(tree: Any) -> str:
    """The viable prefixes of a tree, none of them empty; "" where the tree takes no character.

    For a sequence A B C it is Pre(A) | A (Pre(B) | B Pre(C)): nested so that the text stays linear in the pattern's.
    """
    match tree:
        case _Char(text):
            return str(text)
        case _Boundary():
            return ""
        case _Sequence(parts):
            return _sequence_prefix(parts)
        case _Choice(branches):
            found = [p for b in branches if (p := _prefix(b))]
            return f"(?:{'|'.join(found)})" if found else ""
        case _Secret(inner):
            return _prefix(inner)
    first = _prefix(tree.inner)
    if tree.most == 1 or not first:
        return first
    if isinstance(tree.inner, _Char):
        return _counted_backwards(first, 1, tree.most)
    return f"(?:{_backwards(tree.inner)}){{0,{tree.most - 1}}}(?:{first})"


def _sequence_prefix(parts: tuple[Any, ...]) -> str:
    written = ""
    for part in reversed(parts):
        if isinstance(part, _Char):
            written = f"{part.text}(?:{written})?" if written else part.text
        elif isinstance(part, _Boundary):
            written = rf"\b(?:{written})" if written else ""
        elif first := _prefix(part):
            written = f"(?:{first}|{_backwards(part)}(?:{written}))" if written else f"(?:{first})"
    return written


def _backwards(tree: Any) -> str:
    """What the tree matches, written for a search that reads from the end of the text to its beginning."""
    match tree:
        case _Secret(inner):
            return f"(?:{_backwards(inner)})"
        case _Sequence(parts):
            return "".join(_backwards(part) for part in parts)
        case _Choice(branches):
            return "(?:" + "|".join(_backwards(branch) for branch in branches) + ")"
        case _Repeat(least, most, _, inner):
            if isinstance(inner, _Char):
                return _counted_backwards(inner.text, least, most)
            return f"(?:{_backwards(inner)}){{{least},{most}}}"
    return _full(tree)


def _counted_backwards(text: str, least: int, most: int | None) -> str:
    """A counted repeat that a search from the end follows with one thread: ((X)?X)?X in place of X(X(X)?)?.

    RE2 writes X{1,3} the second way, where a search from the end has to begin at every count at once. Counts above
    EXACT_PREFIX are taken as unbounded: a prefix too many holds text back longer, never lets it out.
    """
    if most is None or most > EXACT_PREFIX:
        return f"{text}{{{min(least, RE2_REPEAT)},}}"
    optional = most - least
    nested = "(?:" * optional + f"{text})?" * optional
    return f"{nested}{text}{{{least}}}" if least else nested
