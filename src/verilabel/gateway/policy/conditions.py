"""Conditions of a policy: CEL, read strictly, compiled once, asked in microseconds.

The engine (`common-expression-language`, the Rust `cel` crate) departs from the CEL specification in places that a
policy must not depend on. What it takes is therefore narrowed, and two functions are our own:

- `size` of a text counts UTF-8 bytes there, characters in CEL: ours counts characters.
- `matches` runs the Rust regex crate, where `\\d` and `\\w` take all of Unicode, and compiles its pattern each time;
  CEL says RE2. Ours is RE2, compiled once; the pattern must be a literal, so that no client chooses it.
- Whole numbers beyond 2^53 compare with doubles as if they were rounded, `-(-2^63)` wraps around, and 1 and 1.0 add
  and divide differently: literals stop at 2^53, and a request's parameters are doubles (`facts`).
- Map literals take a key twice, and maps with keys 1 and 1u differ: there are no map literals and no `u`.
- Very long chains overflow the parser's stack and end the process: sources stop at MAX_SOURCE characters.
- Macros inside macros take the product of the lists: they are refused.
- An error inside `exists` or `all` is not absorbed by a later element, as it would be in CEL: it stays an error, and
  `on_error` decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from verilabel.errors import LimitExceeded, MalformedInput, MissingExtra
from verilabel.gateway.policy.expression import ENGINE_FUNCTIONS, MAX_SOURCE, Expression, read_expression
from verilabel.gateway.policy.facts import Facts, LabelFacts

__all__ = ["MAX_SOURCE", "Condition", "ConditionError"]

MAX_PATTERN_MEMORY = 8 * 2**20
"""Bytes that one pattern may take in RE2. With much less, RE2 leaves its automaton for a search that takes seconds."""
MAX_PATTERN_SIZE = 4000
"""Instructions of a compiled pattern."""
MAX_MATCHED = 65_536
"""Characters that a pattern is held against; a longer text cannot be decided."""
_MOST_VARIED = 3
"""Parameters whose types are varied against each other when a condition is tried out."""
_NO_VALUE = object()
"""What our functions give where they have no answer: the engine fails on it and, unlike on exceptions, logs nothing."""
_NO_TRUTH = "neither true nor false"
_BY_TYPE = frozenset({"TypeError", "RuntimeError"})
"""What the engine raises for an operation, or a function, that a type does not have."""
_NOT_OURS = (KeyboardInterrupt, SystemExit, GeneratorExit)


class ConditionError(Exception):
    """A condition could not be decided for a request; the message holds nothing of it. `on_error` decides.

    `kind` is the engine's word for what happened, such as `KeyError`.
    """

    def __init__(self, kind: str, where: str) -> None:
        super().__init__(f"{kind} in the condition at {where}")
        self.kind = kind


class Condition:
    """A compiled condition. `names` are the facts it asks for besides parameters, by their flat names.

    Raises MalformedInput where the source is not one, MissingExtra without the extra `gateway`.
    """

    __slots__ = ("_functions", "_new_context", "_params", "_program", "names", "source", "where")

    def __init__(self, source: str, where: str) -> None:
        cel = _import_cel()
        self.source = source
        self.where = where
        expression = read_expression(source, where)
        _compile(cel, source, where)  # for mistakes in terms of what was written
        self._program = _compile(cel, expression.source, where)
        _check_references(self._program, expression, where)
        self._functions = _functions_for(cel, expression, where)
        self._new_context = cel.Context
        self._params = expression.params if expression.names_params else ()
        self.names = tuple(
            name for name in expression.names if not (self._params and name == "request_params")
        )
        _try_out(self, expression)

    def holds(self, facts: Facts) -> bool:
        """True if the condition holds for a request. Raises ConditionError where it cannot be decided."""
        try:
            value = facts.value
            variables: Any = {name: value(name) for name in self.names}
            if self._params:
                variables["request_params"] = facts.named_params(self._params)
            if self._functions:
                variables = self._new_context(variables, self._functions)
            result = self._program.execute(variables)
        except BaseException as error:
            if isinstance(error, _NOT_OURS):
                raise
            # the engine's own words may quote the request
            raise ConditionError(type(error).__name__, self.where) from None
        if result is True or result is False:
            return bool(result)
        raise ConditionError(_NO_TRUTH, self.where)


def _import_cel() -> Any:
    try:
        import cel
    except ImportError:
        raise MissingExtra("common-expression-language", "gateway") from None
    return cel


def _compile(cel: Any, source: str, where: str) -> Any:
    try:
        return cel.compile(source)
    except BaseException as error:
        if isinstance(error, _NOT_OURS):
            raise
        said = str(error).partition("ERROR: <input>:")[2].partition("\n")[0].strip() or type(error).__name__
        raise MalformedInput(f"not a CEL condition: {said[:200]}", where=where) from None


def _check_references(program: Any, expression: Expression, where: str) -> None:
    """The engine must find no other names than were read here, should the two ever split a source differently."""
    names = {*expression.names, *expression.elements}
    functions = {name for name in program.functions() if name.isidentifier()}
    if not names.issuperset(program.variables()) or not ENGINE_FUNCTIONS.issuperset(functions):
        raise MalformedInput("the condition can be read in two ways", where=where)


def _functions_for(cel: Any, expression: Expression, where: str) -> dict[str, Callable[..., Any]]:
    functions: dict[str, Callable[..., Any]] = {}
    if expression.patterns:
        functions["re2Matches"] = _matcher(cel, expression, where)
    if expression.counts:
        functions["sizeOf"] = _size_of
    return functions


def _matcher(cel: Any, expression: Expression, where: str) -> Callable[[object, str], object]:
    try:
        import re2
    except ImportError:
        raise MissingExtra("google-re2", "gateway") from None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_PATTERN_MEMORY
    searches = {}
    for literal in expression.patterns:
        pattern = _compile(cel, literal, where).execute()
        try:
            compiled = re2.compile(pattern, options=options)
        except (re2.error, UnicodeError) as error:
            raise MalformedInput(
                f"{pattern[:60]!r} is no pattern that RE2 takes: {str(error)[:120]}", where=where
            ) from None
        if compiled.programsize > MAX_PATTERN_SIZE:
            raise LimitExceeded(f"the pattern {pattern[:60]!r} is too large when it is compiled", where=where)
        searches[pattern] = compiled.search

    def matches(text: object, pattern: str) -> object:
        if not isinstance(text, str) or len(text) > MAX_MATCHED:
            return _NO_VALUE
        return searches[pattern](text) is not None

    return matches


def _size_of(value: object) -> object:
    return len(value) if isinstance(value, str | list | dict) else _NO_VALUE


class _SampleKey:
    id = name = user = "sample"
    role = "user"


def _try_out(condition: Condition, expression: Expression) -> None:
    """Refuse what gives no truth value, or fails on every request by its types alone."""
    failures = {_failure(condition, facts) for facts in _samples(expression.params)}
    if _NO_TRUTH in failures:
        raise MalformedInput(
            "the condition gives neither true nor false",
            where=condition.where,
            hint="compare: request.turns > 10",
        )
    if failures <= _BY_TYPE and len(expression.params) <= _MOST_VARIED:
        raise MalformedInput(
            "the condition fails on every request: its types do not fit together",
            where=condition.where,
            hint="whole numbers and doubles mix only in comparisons; write 1.0, or double(request.turns)",
        )


def _failure(condition: Condition, facts: Facts) -> str | None:
    try:
        condition.holds(facts)
    except ConditionError as error:
        return error.kind
    return None


def _samples(params: tuple[str, ...]) -> Iterator[Facts]:
    kinds: tuple[Any, ...] = (0.5, "sample", True, ["sample"], {"sample": "sample"})
    varied = params[:_MOST_VARIED]
    for chosen in itertools.product(kinds, repeat=len(varied)):
        given = dict.fromkeys(params, chosen[0] if chosen else None) | dict(zip(varied, chosen, strict=True))
        yield Facts(
            request={
                "model": "sample",
                "route": "sample",
                "stream": False,
                "media": 1,
                "tools": ["sample"],
                "turns": 1,
                "system": "sample",
                "params": given,
                "end_user": "sample",
            },
            key=_SampleKey(),
            now=datetime(2026, 1, 1, 12, 30, tzinfo=UTC),
            label=LabelFacts(True, "sample", "L1", "L2", "V2", "sha256:0"),
        )
