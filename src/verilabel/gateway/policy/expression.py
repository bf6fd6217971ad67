"""What a condition may say: its words, checked one by one, and the form in which the engine gets it.

Names are flattened (`request.model` becomes `request_model`), so that the engine is given just what is asked for;
`size` and `matches` become functions of our own (`conditions` says why).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.gateway.policy.facts import LARGEST_NUMBER, MEMBERS

MAX_SOURCE = 2000
"""Characters of a condition."""
MAX_NESTING = 12
MAX_MACROS = 4
MAX_PATTERNS = 4
MAX_SUMS = 16
"""Plus signs in a condition: texts that are joined are copied."""
MAX_SYSTEM_MENTIONS = 8
"""How often a condition may name the system prompt, the one text that is long."""

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\n]+|//[^\n]*)
    |(?P<text>[rR]'[^'\n]*'|[rR]"[^"\n]*"|'(?:[^'\\\n]|\\[^\n])*'|"(?:[^"\\\n]|\\[^\n])*")
    |(?P<number>0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]])""",
    re.VERBOSE | re.ASCII,
)
_MACRO_NAME = re.compile(r"[a-z][a-zA-Z0-9]{0,30}", re.ASCII)
_CONSTANTS = frozenset({"true", "false", "null", "in"})
_MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
_METHODS = frozenset({"size", "contains", "startsWith", "endsWith", "matches"}) | _MACROS
_FUNCTIONS = frozenset({"size", "has", "int", "double"})
_FLAT = frozenset(f"{root}_{member}" for root, members in MEMBERS.items() for member in members)
_RENAMED = {"size": "sizeOf", "matches": "re2Matches"}


ENGINE_FUNCTIONS = (_METHODS | _FUNCTIONS) - _MACROS - {"has"} - set(_RENAMED) | set(_RENAMED.values())
"""Functions that the engine may find in what it is given."""


class Expression(NamedTuple):
    """A condition that was read. `names` are the flat names of the facts, `params` the parameters it mentions.

    `source` is for the engine; `patterns` are the literals, as written, that `matches` is given; `elements` are the
    variables of macros. `names_params` is True if it asks for parameters by their names alone, never for the map as a
    whole; `counts` if it asks for a size.
    """

    source: str
    names: tuple[str, ...]
    params: tuple[str, ...]
    names_params: bool
    patterns: tuple[str, ...]
    counts: bool
    elements: tuple[str, ...]


class _Token(NamedTuple):
    kind: str
    text: str


_END = _Token("end", "")


def read_expression(source: str, where: str) -> Expression:
    """Read a condition's words. Raises MalformedInput for one that is not allowed, LimitExceeded for too many."""
    if len(source) > MAX_SOURCE:
        raise LimitExceeded(f"a condition has at most {MAX_SOURCE} characters", where=where)
    if "'''" in source or '"""' in source:
        raise MalformedInput("a condition has no texts in triple quotes", where=where)
    return _Reader(_split(source, where), where).read()


def _split(source: str, where: str) -> list[_Token]:
    tokens = []
    position = 0
    while position < len(source):
        found = _TOKEN.match(source, position)
        if found is None:
            raise MalformedInput(
                f"{source[position]!r} at character {position + 1} has no place in a condition",
                where=where,
                hint="comparisons, && || !, texts in quotes, lists in brackets",
            )
        if found.lastgroup != "blank":
            tokens.append(_Token(str(found.lastgroup), found.group()))
        position = found.end()
    if not tokens:
        raise MalformedInput(
            "the condition is empty", where=where, hint="leave `when` out: it then always holds"
        )
    return tokens


class _Reader:
    """Walks over the words once, from left to right."""

    def __init__(self, tokens: list[_Token], where: str) -> None:
        self._tokens = tokens
        self._where = where
        self._index = 0
        self._depth = 0
        self._out: list[str] = []
        self._names: dict[str, None] = {}
        self._params: dict[str, None] = {}
        self._names_params = True
        self._patterns: dict[str, None] = {}
        self._counts = False
        self._elements: dict[str, None] = {}
        self._sums = 0
        self._matches = 0
        self._macros = 0
        self._macro: tuple[int, str] | None = None
        """Depth of brackets inside the macro that is open, and its variable."""
        self._system_mentions = 0

    def read(self) -> Expression:
        while self._index < len(self._tokens):
            token = self._tokens[self._index]
            if token.kind == "name":
                self._read_name(token.text)
            elif token.kind == "sign":
                self._read_sign(token.text)
            else:
                self._check_literal(token)
                self._take(1)
        return Expression(
            " ".join(self._out),
            tuple(self._names),
            tuple(self._params),
            self._names_params,
            tuple(self._patterns),
            self._counts,
            tuple(self._elements),
        )

    def _refuse(self, message: str, hint: str | None = None) -> MalformedInput:
        return MalformedInput(message, where=self._where, hint=hint)

    def _peek(self, ahead: int) -> _Token:
        place = self._index + ahead
        return self._tokens[place] if 0 <= place < len(self._tokens) else _END

    def _take(self, count: int, instead: str | None = None) -> None:
        if instead is None:
            self._out += [token.text for token in self._tokens[self._index : self._index + count]]
        else:
            self._out.append(instead)
        self._index += count

    def _check_literal(self, token: _Token) -> None:
        if token.kind != "number":
            return
        if _value(token.text) > LARGEST_NUMBER:
            raise self._refuse(
                f"{token.text} is beyond 2^53, where whole numbers and doubles compare wrongly"
            )
        if self._peek(1).kind == "name" and self._peek(1).text != "in":
            raise self._refuse(f"{token.text}{self._peek(1).text} is not a number that conditions take")

    def _read_sign(self, sign: str) -> None:
        if sign in "([":
            self._depth += 1
            if self._depth > MAX_NESTING:
                raise LimitExceeded(f"brackets nested deeper than {MAX_NESTING}", where=self._where)
        elif sign in ")]":
            self._depth -= 1
            if self._macro is not None and self._depth < self._macro[0]:
                self._macro = None
        elif sign == "+":
            self._sums += 1
            if self._sums > MAX_SUMS:
                raise LimitExceeded(f"more than {MAX_SUMS} sums in a condition", where=self._where)
        elif sign == "." and self._peek(1).kind != "name":
            raise self._refuse("a point without a name behind it", "numbers begin with a digit: 0.5")
        self._take(1)

    def _read_name(self, name: str) -> None:
        is_call = self._peek(1).text == "("
        if self._peek(-1).text == ".":
            self._read_member(name, is_call)
        elif name in _CONSTANTS:
            self._take(1)
        elif is_call:
            self._read_function(name)
        elif self._macro is not None and name == self._macro[1]:
            self._take(1)
        else:
            self._read_fact(name)

    def _read_fact(self, root: str) -> None:
        members = MEMBERS.get(root)
        if members is None:
            raise self._refuse(f"conditions know no {root!r}", _nearest(root, MEMBERS))
        member = self._peek(2)
        if self._peek(1).text != "." or member.kind != "name":
            raise self._refuse(f"{root!r} alone is nothing to compare", f"{root}.{next(iter(members))}")
        if member.text not in members:
            near = _nearest(member.text, members)
            raise self._refuse(f"{root} has no {member.text!r}", near)
        flat = f"{root}_{member.text}"
        if flat == "request_system":
            self._count_system()
        if flat == "request_params":
            self._note_param()
        self._names[flat] = None
        self._take(3, flat)

    def _count_system(self) -> None:
        self._system_mentions += 1
        if self._macro is not None:
            raise self._refuse(
                "request.system inside a macro would be searched once for each element",
                "ask for it outside: request.system.contains('...')",
            )
        if self._system_mentions > MAX_SYSTEM_MENTIONS:
            raise LimitExceeded(
                f"request.system more than {MAX_SYSTEM_MENTIONS} times in a condition", where=self._where
            )

    def _note_param(self) -> None:
        dotted = self._peek(3).text == "." and self._peek(4).kind == "name" and self._peek(5).text != "("
        if dotted:
            self._params[self._peek(4).text] = None
            return
        self._names_params = False
        if self._peek(3).text == "[" and self._peek(4).kind == "text":
            self._params[self._peek(4).text.strip("rR'\"")] = None

    def _read_function(self, name: str) -> None:
        if name not in _FUNCTIONS:
            raise self._refuse(f"conditions have no function {name}()", _nearest(name, _FUNCTIONS | _METHODS))
        if name == "has":
            words = [self._peek(ahead).text for ahead in range(2, 6)]
            if words != ["request", ".", "params", "."]:
                raise self._refuse(
                    "has() asks for parameters alone",
                    "has(request.params.NAME); other facts are always there",
                )
        self._counts = self._counts or name == "size"
        self._take(1, _RENAMED.get(name, name))

    def _read_member(self, name: str, is_call: bool) -> None:
        if not is_call:
            self._take(1)
            return
        if name not in _METHODS:
            raise self._refuse(f"conditions have no function {name}()", _nearest(name, _METHODS))
        if name in _MACROS:
            self._open_macro(name)
            return
        if name == "matches":
            pattern = self._peek(2)
            if pattern.kind != "text" or self._peek(3).text != ")":
                raise self._refuse("the pattern of matches() is a text in quotes, nothing computed")
            self._matches += 1
            if self._matches > MAX_PATTERNS:
                raise LimitExceeded(f"more than {MAX_PATTERNS} patterns in a condition", where=self._where)
            self._patterns[pattern.text] = None
        self._counts = self._counts or name == "size"
        self._take(1, _RENAMED.get(name, name))

    def _open_macro(self, name: str) -> None:
        variable = self._peek(2)
        if self._macro is not None:
            raise self._refuse(f"{name}() inside another macro takes the product of both lists")
        self._macros += 1
        if self._macros > MAX_MACROS:
            raise LimitExceeded(f"more than {MAX_MACROS} macros in a condition", where=self._where)
        if variable.kind != "name" or self._peek(3).text != ",":
            raise self._refuse(f"{name}() names its element first", f"request.tools.{name}(t, t == 'search')")
        taken = variable.text in MEMBERS or variable.text in _CONSTANTS or variable.text in _FLAT
        if taken or not _MACRO_NAME.fullmatch(variable.text):
            raise self._refuse(f"{variable.text!r} cannot name an element", "a short word such as t")
        self._depth += 1
        self._macro = (self._depth, variable.text)
        self._elements[variable.text] = None
        self._take(4)


def _value(number: str) -> int | float:
    if number[:2] in ("0x", "0X"):
        return int(number, 16)
    return int(number) if number.isdigit() else float(number)


def _nearest(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
