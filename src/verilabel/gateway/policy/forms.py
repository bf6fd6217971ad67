"""Plain YAML values into the words of a policy, with the place of every mistake and what was probably meant."""

from __future__ import annotations

import difflib
import re
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from verilabel.errors import MalformedInput

T = TypeVar("T")

_AT = re.compile(r"(?P<said>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)
_NOT_ONE_OF = re.compile(r"Invalid enum value (?P<value>.*)", re.DOTALL)
_WRONG_TYPE = re.compile(r"Expected `(?P<wanted>[^`]*)`, got `(?P<given>[^`]*)`.*", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>[0-9]+|\.\.\.)\]")
_OTHER_WORDS = {"on": "directions", "kind": "use", "name": "id", "type": "use"}
"""Words that other policies have for a field."""
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "decimal": "a number",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


def convert_document(document: Any, kind: type[T], where: str) -> T:
    """A document as a struct. Raises MalformedInput with the file and the path, `policy.yaml: $.guards[2].action`."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        message, path, hint = _explain(str(error), document, kind)
    raise MalformedInput(message, where=f"{where}: {path}", hint=hint)


def _explain(text: str, document: Any, kind: type) -> tuple[str, str, str | None]:
    found = _AT.fullmatch(text)
    assert found is not None
    said, path = found["said"], found["path"] or "$"
    form = _form_at(kind, path)
    if unknown := _UNKNOWN.fullmatch(said):
        return (
            f"unknown word {unknown['name']!r}",
            f"{path}.{unknown['name']}",
            _nearest_field(unknown["name"], form),
        )
    if missing := _MISSING.fullmatch(said):
        return f"{missing['name']!r} is missing", path, None
    if wrong := _NOT_ONE_OF.fullmatch(said):
        value = wrong["value"].strip("'")
        hint = _nearest_value(value, form)
        return f"{wrong['value'][:80]} is not one of its words", _name_key(path, value, document), hint
    if typed := _WRONG_TYPE.fullmatch(said):
        return _explain_type(typed["wanted"], typed["given"], path)
    return said[:200], path, None


def _explain_type(wanted: str, given: str, path: str) -> tuple[str, str, str | None]:
    names = [_WORDS.get(word.strip(), word.strip()) for word in wanted.split("|") if word.strip() != "null"]
    is_number = given in ("int", "decimal", "float") and "text" in names
    hint = 'put it in quotes: "1.0"' if is_number else None
    return f"{_WORDS.get(given, given)} where {' or '.join(names)} belongs", path, hint


def _form_at(kind: type, path: str) -> inspect.Type | None:
    """The type that belongs at a path, or None where the path leaves the words of the document."""
    form: inspect.Type | None = inspect.type_info(kind)
    for step in _STEP.finditer(path):
        if isinstance(form, inspect.UnionType):
            form = next((part for part in form.types if not isinstance(part, inspect.NoneType)), None)
        if isinstance(form, inspect.StructType):
            form = next((field.type for field in form.fields if field.encode_name == step["name"]), None)
        elif isinstance(form, inspect.VarTupleType):
            form = form.item_type
        elif isinstance(form, inspect.DictType):
            form = form.value_type
        else:
            return None
    return form


def _nearest_field(name: str, form: inspect.Type | None) -> str | None:
    if not isinstance(form, inspect.StructType):
        return None
    return nearest(_OTHER_WORDS.get(name, name), [field.encode_name for field in form.fields])


def _nearest_value(value: str, form: inspect.Type | None) -> str | None:
    if not isinstance(form, inspect.LiteralType):
        return None
    return nearest(value, [str(known) for known in form.values])


def _name_key(path: str, value: str, document: Any) -> str:
    """A path into a mapping's value, with the key in place of the reader's `[...]`."""
    if not path.endswith("[...]"):
        return path
    place: Any = document
    for step in _STEP.finditer(path.removesuffix("[...]")):
        place = place[int(step["index"])] if step["index"] else place[step["name"]]
    keys = [key for key, held in place.items() if str(held) == value]
    return path.removesuffix("[...]") + (f".{keys[0]}" if keys else "")


def nearest(word: str, known: list[str]) -> str:
    """What was probably meant, or everything there is."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(known)) or 'none'}"
