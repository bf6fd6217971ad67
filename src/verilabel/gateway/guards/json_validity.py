"""The guard `json`: an answer must be JSON, and fit a schema where the policy or the request names one."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from verilabel.errors import MalformedInput, MissingExtra
from verilabel.gateway.guards.awaited import AwaitedGuard
from verilabel.gateway.guards.interface import GuardError, Judgement
from verilabel.gateway.guards.quick import Place
from verilabel.gateway.guards.settings import version_of
from verilabel.records.canonical import sha256_hex

MAX_JSON_CHARS = 2**18
"""Characters of an answer that is parsed; the parser holds the interpreter for some 10 ms then."""
MAX_SCHEMA_BYTES = 64 * 1024
MAX_SCHEMAS = 64
"""Validators that are kept ready, of policies and requests."""
MAX_STEPS = 50_000
"""Keywords of a schema that are looked at in one validation (1.5 s for the slowest, references)."""
_FENCE = "```"
Keyword = Callable[[Any, Any, Any, Any], Any]


class JsonSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`schema` or `schema_file`: what answers must fit. `from_request`: where the request asks for a schema, that one
    holds as well. `only_when_asked`: answers to requests that ask for none are let through. `fenced`: an answer may
    stand in a Markdown code fence."""

    schema: dict[str, Any] | None = None
    schema_file: str | None = None
    from_request: bool = True
    only_when_asked: bool = False
    fenced: bool = False

    def __post_init__(self) -> None:
        if self.schema is not None and self.schema_file is not None:
            raise ValueError("give schema or schema_file, not both")


class JsonGuard(AwaitedGuard):
    """Rules `invalid` (no JSON; duplicate names and NaN among the reasons) and `schema`.

    Schemas are JSON Schema, draft 2020-12 unless they say otherwise. References lead inside the schema alone; patterns
    run in RE2. A schema that is none, a text beyond 262,144 characters, or one that needs more
    than 50,000 steps is a GuardError: the policy's `on_error` decides.
    """

    reads_whole = True

    def __init__(self, settings: JsonSettings, schema: dict[str, Any] | None) -> None:
        self._settings = settings
        self._own = None if schema is None else compile_schema(schema)
        self._asked: dict[str, Any] = {}
        super().__init__(version_of("json", "1", settings, schema))

    async def close(self) -> None:
        """Validators of requests are let go of."""
        self._asked.clear()

    async def look(self, text: str, place: Place, /) -> Judgement:
        """Parse and validate in a thread, which lets the event loop go on; steps and sizes are bounded."""
        return await asyncio.to_thread(self._judge, text, place.about.schema)

    def _judge(self, text: str, asked: dict[str, Any] | None) -> Judgement:
        settings = self._settings
        if asked is None and settings.only_when_asked and self._own is None:
            return Judgement(found=False)
        if len(text) > MAX_JSON_CHARS:
            raise GuardError("the text is longer than this guard reads")
        try:
            value: Any = parse_strictly(_unfence(text) if settings.fenced else text)
        except (ValueError, RecursionError):
            return Judgement(found=True, rule="invalid")
        for validator in self._validators(asked):
            if not _fits(validator, value):
                return Judgement(found=True, rule="schema")
        return Judgement(found=False)

    def _validators(self, asked: dict[str, Any] | None) -> Iterator[Any]:
        if self._own is not None:
            yield self._own
        if asked is None or not self._settings.from_request:
            return
        key = _key_of(asked)
        validator = self._asked.get(key)
        if validator is None:
            try:
                validator = compile_schema(asked)
            except MalformedInput as error:
                raise GuardError("the schema of the request cannot be used") from error
            if len(self._asked) >= MAX_SCHEMAS:
                self._asked.pop(next(iter(self._asked)))
            self._asked[key] = validator
        yield validator


def _key_of(schema: dict[str, Any]) -> str:
    try:
        encoded = msgspec.json.encode(schema, order="deterministic")
    except (msgspec.MsgspecError, TypeError, RecursionError) as error:
        raise GuardError("the schema of the request cannot be used") from error
    return sha256_hex(encoded)


def parse_strictly(text: str) -> Any:
    """The value of a JSON text. Raises ValueError for duplicate names, NaN, infinities and all that is no JSON,
    RecursionError for what is nested too deep to be read.
    """
    return json.loads(
        text, object_pairs_hook=_unique_names, parse_constant=_refuse_constant, parse_float=_finite
    )


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError("a number beyond all bounds")
    return value


def _fits(validator: Any, value: Any) -> bool:
    _steps.left = MAX_STEPS
    try:
        return bool(validator.is_valid(value))
    except Exception as error:
        # a reference that leads nowhere or in a circle shows only when it is followed
        raise GuardError(f"the schema cannot be followed: {type(error).__name__}") from error


def _unfence(text: str) -> str:
    stripped = text.strip()
    if stripped.startswith(_FENCE) and stripped.endswith(_FENCE) and len(stripped) > 2 * len(_FENCE):
        _, _, inner = stripped[: -len(_FENCE)].partition("\n")
        return inner
    return stripped


def compile_schema(schema: Mapping[str, Any]) -> Any:
    """A validator for a schema. Raises MalformedInput where it is none, too large, or needs what is not allowed."""
    try:
        import jsonschema  # type: ignore[import-untyped]
        from referencing import Registry
    except ImportError as error:
        raise MissingExtra("jsonschema", "gateway") from error
    try:
        if len(msgspec.json.encode(schema)) > MAX_SCHEMA_BYTES:
            raise MalformedInput(f"the schema is larger than {MAX_SCHEMA_BYTES} bytes")
        plain = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        plain.check_schema(schema, format_checker=None)
        _check_words(schema)
    except MalformedInput:
        raise
    except (jsonschema.SchemaError, RecursionError, TypeError, msgspec.MsgspecError) as error:
        raise MalformedInput(
            f"not a JSON schema: {getattr(error, 'message', type(error).__name__)}"
        ) from error
    linear = {**plain.VALIDATORS, "pattern": _check_pattern, "uniqueItems": _check_unique}
    counted = {name: _count_steps(check) for name, check in linear.items()}
    return jsonschema.validators.extend(plain, counted)(schema, registry=Registry())


class _Steps(threading.local):
    """How many keywords may still be looked at in the validation that runs in this thread."""

    left = MAX_STEPS


_steps = _Steps()


class TooManySteps(Exception):
    """A schema branches so often that its validation would take too long."""


def _count_steps(check: Keyword) -> Keyword:
    def count_and_check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        _steps.left -= 1
        if _steps.left < 0:
            raise TooManySteps
        yield from check(validator, value, instance, schema) or ()

    return count_and_check


def _check_pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Iterator[Any]:
    if validator.is_type(instance, "string") and not compile_pattern(pattern).search(instance):
        yield _mistake("the pattern is not met")


def _check_unique(validator: Any, wanted: bool, instance: Any, _: Any) -> Iterator[Any]:
    # each item written out once: the library compares every pair
    if wanted and validator.is_type(instance, "array"):
        written = {json.dumps(_with_whole_numbers(item), sort_keys=True) for item in instance}
        if len(written) < len(instance):
            yield _mistake("items stand twice")


def _with_whole_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_with_whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {name: _with_whole_numbers(item) for name, item in value.items()}
    return value


def _mistake(message: str) -> Any:
    import jsonschema

    return jsonschema.ValidationError(message)


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> Any:
    """A pattern for RE2. Raises MalformedInput where RE2 does not take it."""
    try:
        import re2
    except ImportError as error:
        raise MissingExtra("google-re2", "gateway") from error
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise MalformedInput(
            f"the pattern {pattern[:80]!r} needs more than linear time, or is none"
        ) from error


def _check_words(schema: Any) -> None:
    """Refuse keywords that would put the library's own regular expressions on a text, and patterns RE2 cannot run."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            if "patternProperties" in part:
                raise MalformedInput(
                    "patternProperties is not supported", hint="name the properties, or use propertyNames"
                )
            pattern = part.get("pattern")
            if isinstance(pattern, str):
                compile_pattern(pattern)
            waiting.extend(part.values())
        elif isinstance(part, list | tuple):
            waiting.extend(part)
