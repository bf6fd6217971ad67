"""Reading a rubric file: strict, with the path of every mistake, and with the digest of the exact bytes."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.records.canonical import digest
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.rubric.structure import (
    AtLeast,
    AttestedBy,
    Criterion,
    Level,
    Measure,
    Name,
    Rubric,
    Rule,
    Scale,
    TimesReference,
    criteria_of,
    every_rule_of,
    plain,
    rules_of,
)

__all__ = ["Measure", "Rubric", "bundled_rubrics", "find_rubric", "load_rubric"]

FORMAT = "rubric/v1"
MAX_ROWS = 1000
"""Rows of all levels together."""
MAX_BYTES = 2**18
BUNDLED = Path(__file__).parent / "data"
_NOUNS = {int: "a whole number", bool: "true or false"}
_OPERATORS = ("<=", "<", ">=", ">")


def load_rubric(data: bytes, where: str) -> Rubric:
    """Read a rubric and refuse everything it must not be; `where` names the file in errors.

    Raises MalformedInput (LimitExceeded for sizes) with the path of the mistake, for example
    `core.yaml $.scale.levels[2].when.all[1].measure`.
    """
    document = load_strict_yaml(data, where=where, max_bytes=MAX_BYTES)
    rubric = _Reading(where).rubric(document, digest(data))
    _Checking(where, rubric).check()
    return rubric


@cache
def bundled_rubrics() -> tuple[Rubric, ...]:
    """The rubrics that come with the package, by id."""
    found = [load_rubric(path.read_bytes(), path.name) for path in sorted(BUNDLED.glob("*.yaml"))]
    return tuple(sorted(found, key=lambda rubric: rubric.id))


def takes_bundled_name(rubric: Rubric) -> bool:
    """True if a rubric has the id and version of one that comes with the package, and is not that one."""
    for path in sorted(BUNDLED.glob("*.yaml")):
        data = path.read_bytes()
        if rubric.id.encode() in data and rubric.sha256 != digest(data):
            own = load_rubric(data, path.name)
            if (own.id, own.version) == (rubric.id, rubric.version):
                return True
    return False


def rubric_bytes(reference: str) -> tuple[bytes, str]:
    """The exact bytes of a bundled rubric or a rubric file, and the name of the place they came from.

    `reference` is a bundled id (`core`, `verilabel/core`, with `@version` if wanted) or the path of a file.
    Raises UsageError where there is neither.
    """
    name, _, version = reference.partition("@")
    bundled = _bundled_path(name.removeprefix("verilabel/"))
    if bundled is not None:
        data = bundled.read_bytes()
        found = load_rubric(data, bundled.name)
        if version and found.version != version:
            raise UsageError(f"{found.id} comes with version {found.version}, not {version}", where=reference)
        return data, found.name
    path = Path(reference)
    if path.is_file():
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise LimitExceeded(f"a rubric has at most {MAX_BYTES} bytes", where=reference)
        return data, reference
    known = [rubric.stem for rubric in sorted(BUNDLED.glob("*.yaml"))]
    raise UsageError(
        f"no rubric {reference!r}, neither bundled nor a file",
        hint=_nearest(name.removeprefix("verilabel/"), known, "bundled rubrics"),
    )


def _bundled_path(name: str) -> Path | None:
    """The bundled file of this name or id; looked up in a list, so that a name is never a path."""
    paths = sorted(BUNDLED.glob("*.yaml"))
    for path in paths:
        if path.stem == name:
            return path
    wanted = f"verilabel/{name}"
    for path in paths:
        data = path.read_bytes()
        # reading every rubric would cost a quarter of a second for each file of one's own
        if wanted.encode(errors="replace") in data and load_rubric(data, path.name).id == wanted:
            return path
    return None


def find_rubric(reference: str) -> Rubric:
    """The rubric of a bundled id or a path; see `rubric_bytes` and `load_rubric` for what is raised."""
    data, where = rubric_bytes(reference)
    return load_rubric(data, where)


def _nearest(word: str, known: Iterable[str], what: str) -> str:
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"{what}: {', '.join(names) or 'none'}"


class _Reading:
    """Builds the values of a rubric from plain YAML values; every refusal names its path."""

    def __init__(self, where: str) -> None:
        self._where = where

    def refuse(self, message: str, path: str, hint: str | None = None) -> MalformedInput:
        return MalformedInput(message, where=f"{self._where} {path}", hint=hint)

    def rubric(self, document: Any, sha256: str) -> Rubric:
        table = self._table(document, "$")
        if table.get("verilabel") != FORMAT:
            raise self.refuse(f"a rubric begins with `verilabel: {FORMAT}`", "$.verilabel")
        given = {key: value for key, value in table.items() if key != "verilabel"}
        if "sha256" in given:
            raise self.refuse("unknown key 'sha256'", "$.sha256", hint="a file cannot contain its own digest")
        special = {"measures": self._measures, "scale": self._scale}
        rubric: Rubric = self._struct({**given, "sha256": sha256}, Rubric, "$", special)
        return rubric

    def _table(self, value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.refuse(f"expected keys and values, got {_kind(value)}", path)
        return value

    def _list(self, value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise self.refuse(f"expected a list, got {_kind(value)}", path)
        return value

    def _struct(self, value: Any, wanted: Any, path: str, special: Mapping[str, Any] | None = None) -> Any:
        table = self._table(value, path)
        hints = get_type_hints(wanted, include_extras=True)
        fields = {field.name: field for field in msgspec.structs.fields(wanted)}
        known = [name for name in fields if not (wanted is Rubric and name == "sha256")]
        for key in table:
            if key not in fields:
                raise self.refuse(f"unknown key {key!r}", f"{path}.{key}", hint=_nearest(key, known, "keys"))
        for name, field in fields.items():
            if field.required and name not in table:
                raise self.refuse(f"the key {name!r} is missing", path)
        built = {}
        for key, item in table.items():
            here = f"{path}.{key}"
            read = (special or {}).get(key)
            built[key] = read(item, here) if read else self._value(item, hints[key], here)
        return wanted(**built)

    def _value(self, value: Any, wanted: Any, path: str) -> Any:
        """A value of a type: structs, tuples and mappings part by part, so that errors have whole paths."""
        bare, *constraints = get_args(wanted) if get_origin(wanted) is Annotated else (wanted,)
        if get_origin(bare) in (Union, types.UnionType):
            (bare,) = (part for part in get_args(bare) if part is not type(None))
            return self._value(value, bare, path)
        if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
            return self._struct(value, bare, path)
        if get_origin(bare) is tuple:
            items = self._list(value, path)
            if not items and any(constraint.min_length for constraint in constraints):
                raise self.refuse("the list is empty", path)
            return tuple(self._value(v, get_args(bare)[0], f"{path}[{i}]") for i, v in enumerate(items))
        if get_origin(bare) is dict:
            return self._named(value, get_args(bare)[1], path)
        return self._scalar(value, wanted, bare, path)

    def _named(self, value: Any, kind: Any, path: str) -> dict[str, Any]:
        table = self._table(value, path)
        for name in table:
            self._scalar(name, Name, str, f"{path}.{name}")
        return {name: self._value(item, kind, f"{path}.{name}") for name, item in table.items()}

    def _scalar(self, value: Any, wanted: Any, bare: Any, path: str) -> Any:
        if bare is Decimal and (isinstance(value, str | bool) or value is None):
            raise self.refuse(f"expected a number, got {_kind(value)}", path, hint="write it without quotes")
        try:
            return msgspec.convert(value, wanted)
        except msgspec.ValidationError as error:
            raise self._refuse_scalar(value, wanted, bare, path, str(error)) from None

    def _refuse_scalar(self, value: Any, wanted: Any, bare: Any, path: str, said: str) -> MalformedInput:
        choices = [str(choice) for choice in get_args(bare)]
        if choices:
            near = _nearest(str(value), choices, "possible values")
            return self.refuse(f"{value!r} is none of the possible values", path, hint=near)
        if bare is str and isinstance(value, str):
            return self.refuse(f"{value!r} does not have the form it must have", path, hint=_form_of(wanted))
        if bare is str:
            hint = None if value is None else "put it in quotes"
            return self.refuse(f"expected text, got {_kind(value)}", path, hint=hint)
        if isinstance(value, int) and not isinstance(value, bool):
            return self.refuse(f"{value} is out of range: {said[0].lower()}{said[1:]}".replace("`", ""), path)
        return self.refuse(f"expected {_NOUNS.get(bare, 'another kind')}, got {_kind(value)}", path)

    def _measures(self, value: Any, path: str) -> dict[str, Measure]:
        table = self._table(value, path)
        if not table:
            raise self.refuse("a rubric measures something", path)
        measures = {}
        for name, measure in table.items():
            here = f"{path}.{name}"
            self._scalar(name, Name, str, here)
            measures[name] = self._struct(measure, Measure, here, {"filter": self._filter})
        return measures

    def _filter(self, value: Any, path: str) -> dict[str, tuple[str, ...]]:
        table = self._table(value, path)
        result = {}
        for tag, given in table.items():
            values = given if isinstance(given, list) else [given]
            for item in values:
                if not isinstance(item, str):
                    raise self.refuse(
                        f"a tag's value is text, got {_kind(item)}", f"{path}.{tag}", hint="quote it"
                    )
            if not values:
                raise self.refuse("no value can match an empty list", f"{path}.{tag}")
            result[tag] = tuple(values)
        return result

    def _scale(self, value: Any, path: str) -> Scale:
        return Scale(**{**self._parts(value, ("kind", "levels"), path), "levels": self._levels(value, path)})

    def _parts(self, value: Any, keys: tuple[str, ...], path: str) -> dict[str, Any]:
        table = self._table(value, path)
        for key in table:
            if key not in keys:
                raise self.refuse(f"unknown key {key!r}", f"{path}.{key}", hint=_nearest(key, keys, "keys"))
        for key in keys:
            if key not in table:
                raise self.refuse(f"the key {key!r} is missing", path)
        kind = table.get("kind", "assurance")
        if kind not in ("assurance", "hazard"):
            raise self.refuse(f"{kind!r} is no kind of scale", f"{path}.kind", hint="assurance or hazard")
        return dict(table)

    def _levels(self, value: Any, path: str) -> tuple[Level, ...]:
        here = f"{path}.levels"
        levels = self._list(value["levels"], here)
        if len(levels) < 2:
            raise self.refuse("a scale has at least two levels", here)
        rules = dict.fromkeys(("when", "rule_in", "rule_out", "safeguards"), self._rule)
        return tuple(self._struct(level, Level, f"{here}[{i}]", rules) for i, level in enumerate(levels))

    def _rule(self, value: Any, path: str) -> Rule:
        table = self._table(value, path)
        for word in ("all", "any", "at_least", "measure", "attested"):
            if word in table:
                return self._rule_of(word, table, path)
        near = _nearest(
            next(iter(table), ""), ("all", "any", "at_least", "measure", "attested"), "rules begin with"
        )
        raise self.refuse("a rule is all, any, at_least ... of, measure or attested", path, hint=near)

    def _rule_of(self, word: str, table: dict[str, Any], path: str) -> Rule:
        if word == "measure":
            return self._criterion(table, path)
        if word == "attested":
            name = self._struct(table, AttestedBy, path)
            return AttestedBy(attested=name.attested)
        keys = ("at_least", "of") if word == "at_least" else (word,)
        self._parts(table, keys, path)
        inside = f"{path}.{'of' if word == 'at_least' else word}"
        items = self._list(table[keys[-1]], inside)
        if not items:
            raise self.refuse("the list is empty: nothing could be shown by it", inside)
        children = tuple(self._rule(item, f"{inside}[{i}]") for i, item in enumerate(items))
        need = {"all": len(children), "any": 1}.get(word, table.get("at_least"))
        if type(need) is not int or not 1 <= need <= len(children):
            raise self.refuse(f"at_least is a number from 1 to {len(children)}", f"{path}.at_least")
        return AtLeast(need=need, children=children, word=word)  # type: ignore[arg-type]

    def _criterion(self, table: dict[str, Any], path: str) -> Criterion:
        return self._struct(table, Criterion, path, {"value": self._threshold, "op": self._operator})  # type: ignore[no-any-return]

    def _operator(self, value: Any, path: str) -> str:
        if value not in _OPERATORS:
            raise self.refuse(
                f"{value!r} is no comparison", path, hint='one of "<=", "<", ">=", ">", in quotes'
            )
        return str(value)

    def _threshold(self, value: Any, path: str) -> Decimal | TimesReference:
        if not isinstance(value, dict):
            return Decimal(self._value(value, Decimal, path))
        return TimesReference(times_reference=self._struct(value, TimesReference, path).times_reference)


class _Checking(_Reading):
    """What a rubric holds beyond its form: names that exist, thresholds that can be shown, whole scales."""

    def __init__(self, where: str, rubric: Rubric) -> None:
        super().__init__(where)
        self._rubric = rubric

    def check(self) -> None:
        """Raise MalformedInput for the first rule of the format that the rubric breaks."""
        self._check_statistics()
        self._check_sunset()
        for name, measure in self._rubric.measures.items():
            self._check_measure(measure, f"$.measures.{name}")
        seen: set[str] = set()
        for index, level in enumerate(self._rubric.scale.levels):
            path = f"$.scale.levels[{index}]"
            if level.id in seen:
                raise self.refuse(f"the level id {level.id!r} is given twice", f"{path}.id")
            seen.add(level.id)
            self._check_rules_present(index, level, path)
            for key, rule in every_rule_of(level).items():
                self._check_rule(rule, f"{path}.{key}")
        rows = sum(
            len(criteria_of(r)) for level in self._rubric.scale.levels for r in every_rule_of(level).values()
        )
        if rows > MAX_ROWS:
            raise LimitExceeded(
                f"{rows} rows, at most {MAX_ROWS} are decided", where=f"{self._where} $.scale"
            )

    def _check_statistics(self) -> None:
        statistics = self._rubric.statistics
        for key, least, most in (
            ("alpha", "0.000001", "0.1"),
            ("max_missing", "0", "0.2"),
            ("margin", "0", "0.5"),
        ):
            if not Decimal(least) <= getattr(statistics, key) <= Decimal(most):
                raise self.refuse(f"{key} lies between {least} and {most}", f"$.statistics.{key}")
        if statistics.margin.normalize().as_tuple().exponent < -6:  # type: ignore[operator]
            raise self.refuse("bounds have 6 decimals, so a margin has at most 6", "$.statistics.margin")
        if not statistics.designs:
            raise self.refuse(
                "interval confidence-sequence needs the design anytime",
                "$.statistics.design",
                hint="allow anytime",
            )

    def _check_sunset(self) -> None:
        sunset = self._rubric.validity.sunset
        try:
            date.fromisoformat(sunset or "2000-01-01")
        except ValueError:
            raise self.refuse(f"{sunset} is no day of the calendar", "$.validity.sunset") from None

    def _check_measure(self, measure: Measure, path: str) -> None:
        if (measure.estimand == "pass_at_k") != (measure.k is not None):
            raise self.refuse("`k` goes with the estimand pass_at_k, and only with it", f"{path}.k")
        if measure.estimand == "ratio_to_reference" and measure.reference is None:
            raise self.refuse("a ratio needs `reference`, the system it is a ratio to", f"{path}.reference")
        if len(set(measure.elicitation)) != len(measure.elicitation):
            raise self.refuse("a setting is listed twice", f"{path}.elicitation")

    def _check_rules_present(self, index: int, level: Level, path: str) -> None:
        kind = self._rubric.scale.kind
        wanted: tuple[str, ...] = ("when",) if kind == "assurance" else ("rule_in", "rule_out")
        wanted = wanted if index else ()
        given = rules_of(level)
        for key in given:
            if key not in wanted:
                why = (
                    "the lowest level needs no rule" if not index else f"a level of an {kind} scale has none"
                )
                raise self.refuse(f"{key!r} has no place here: {why}", f"{path}.{key}")
        for key in wanted:
            if key not in given:
                raise self.refuse(f"a level of a scale of kind {kind} needs {key!r}", path)
        if level.safeguards is not None and (kind != "hazard" or not index):
            raise self.refuse(
                "safeguards go with a level of a hazard scale above the lowest", f"{path}.safeguards"
            )

    def _check_rule(self, rule: Rule, path: str) -> None:
        if isinstance(rule, AtLeast):
            key = "of" if rule.word == "at_least" else rule.word
            for index, child in enumerate(rule.children):
                self._check_rule(child, f"{path}.{key}[{index}]")
        elif isinstance(rule, AttestedBy):
            if rule.attested not in self._rubric.attestations:
                hint = _nearest(rule.attested, self._rubric.attestations, "attestations")
                raise self.refuse(f"no attestation {rule.attested!r}", f"{path}.attested", hint=hint)
        else:
            self._check_criterion(rule, path)

    def _check_criterion(self, row: Criterion, path: str) -> None:
        measure = self._rubric.measures.get(row.measure)
        if measure is None:
            hint = _nearest(row.measure, self._rubric.measures, "measures")
            raise self.refuse(f"no measure {row.measure!r}", f"{path}.measure", hint=hint)
        if isinstance(row.value, TimesReference):
            if measure.reference is None:
                raise self.refuse(
                    f"the measure {row.measure!r} names no reference system", f"{path}.value.times_reference"
                )
            if not 0 < row.value.times_reference <= 1000:
                raise self.refuse(
                    "times_reference lies above 0 and up to 1000", f"{path}.value.times_reference"
                )
            return
        if not 0 < row.value < 1:
            raise self.refuse(
                f"a threshold of {plain(row.value)} can never be missed or never be shown",
                f"{path}.value",
                hint="rates lie between 0 and 1: write 0.03 for 3 %",
            )
        if row.value.normalize().as_tuple().exponent < -6:  # type: ignore[operator]
            raise self.refuse("bounds have 6 decimals, so thresholds have at most 6", f"{path}.value")
        margin = self._rubric.statistics.margin
        tested = row.value - margin if row.op in ("<", "<=") else row.value + margin
        if not 0 < tested < 1:
            raise self.refuse(
                f"with the margin {plain(margin)} no rate can meet {row.op} {plain(row.value)}",
                f"{path}.value",
            )


def _kind(value: Any) -> str:
    names = {
        type(None): "nothing",
        dict: "keys and values",
        list: "a list",
        str: "text",
        bool: "true or false",
    }
    return names.get(type(value), "a number")


def _form_of(wanted: Any) -> str:
    for constraint in get_args(wanted)[1:]:
        if constraint.pattern is not None:
            return f"it must match {constraint.pattern}"
    return "it must not be empty"
