"""Answers that must be JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.guards.conftest import Open
from verilabel.gateway.guards.interface import Conversation, GuardError
from verilabel.gateway.guards.json_validity import compile_schema, parse_strictly

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ('{"name": "Ada", "age": 36}', ""),
        ('  {"name": "Ada"}\n', ""),
        ('{"name": "Ada", "age": 1e2}', ""),
        ('{"name": "admin"}', "schema"),
        ('{"name": "Ada", "age": -1}', "schema"),
        ('{"name": "Ada", "height": 1.7}', "schema"),
        ('["Ada"]', "schema"),
        ('{"name": "Ada"', "invalid"),
        ("Here is the JSON: {}", "invalid"),
        ('{"name": "Ada", "name": "Bob"}', "invalid"),
        ('{"name": "Ada", "age": NaN}', "invalid"),
        ('{"name": "Ada", "age": 1e999}', "invalid"),
        ('```json\n{"name": "Ada"}\n```', "invalid"),
        ("[" * 100_000, "invalid"),
        ("9" * 10_000, "invalid"),
        ("", "invalid"),
    ],
)
async def test_an_answer_is_held_against_the_schema(opened: Open, said: str, rule: str) -> None:
    judgement = await (await opened("json", {"schema": PERSON})).ask(said)
    assert (bool(rule), rule) == (judgement.found, judgement.rule)


async def test_a_code_fence_is_taken_off_where_the_policy_allows_it(opened: Open) -> None:
    guard = await opened("json", {"fenced": True})
    assert not (await guard.ask('```json\n{"name": "Ada"}\n```')).found
    assert not (await guard.ask('{"name": "Ada"}')).found
    assert (await guard.ask("```json\nAda\n```")).found


async def test_the_schema_of_the_request_holds_too(opened: Open) -> None:
    guard = await opened("json")
    about = Conversation(schema=PERSON)
    assert "schema" == (await guard.ask('{"name": 1}', about=about)).rule
    assert not (await guard.ask('{"name": "Ada"}', about=about)).found
    assert not (await guard.ask('{"name": 1}')).found
    deaf = await opened("json", {"from_request": False})
    assert not (await deaf.ask('{"name": 1}', about=about)).found


async def test_a_policy_may_look_only_where_json_was_asked_for(opened: Open) -> None:
    guard = await opened("json", {"only_when_asked": True})
    assert not (await guard.ask("Good morning!")).found
    assert "invalid" == (await guard.ask("Good morning!", about=Conversation(schema=PERSON))).rule


async def test_a_schema_file_beside_the_policy_is_read(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "person.json").write_text(json.dumps(PERSON))
    guard = await opened("json", {"schema_file": "person.json"})
    assert "schema" == (await guard.ask("{}")).rule


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "banana"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#/$defs/absent"},
        {"$ref": "#"},
        {"pattern": "(?=a)"},
        {"patternProperties": {"(a+)+$": {}}},
        {"description": "x" * 300_000},
    ],
)
async def test_a_request_with_a_schema_that_cannot_be_used_is_not_judged(
    opened: Open, schema: dict[str, Any]
) -> None:
    guard = await opened("json")
    with pytest.raises(GuardError, match="the schema"):
        await guard.ask('"a"', about=Conversation(schema=schema))


async def test_a_schema_that_branches_without_end_is_given_up(opened: Open) -> None:
    defs: dict[str, Any] = {"n0": {"type": "string"}}
    for i in range(1, 40):
        defs[f"n{i}"] = {"anyOf": [{"$ref": f"#/$defs/n{i - 1}"}, {"$ref": f"#/$defs/n{i - 1}"}]}
    schema = {"$defs": defs, "$ref": "#/$defs/n39"}
    guard = await opened("json")
    with pytest.raises(GuardError, match="TooManySteps"):
        await guard.ask("1", about=Conversation(schema=schema))
    assert not (await guard.ask('"a"', about=Conversation(schema=PERSON | {"type": "string"}))).found


async def test_a_pattern_that_stalls_backtracking_engines_is_answered(opened: Open) -> None:
    guard = await opened("json", {"schema": {"type": "string", "pattern": "^(a+)+$"}})
    assert (await guard.ask(json.dumps("a" * 50_000 + "!"))).found
    assert not (await guard.ask(json.dumps("a" * 50_000))).found


SCHEMAS: tuple[dict[str, Any], ...] = (
    PERSON,
    {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
    {"uniqueItems": True},
    {"anyOf": [{"type": "string"}, {"enum": [1, None]}], "not": {"const": "x"}},
    {"$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "$ref": "#/$defs/tree"},
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["x", "Ada", "", "name"]) | st.just(1.0),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "age"]), inner),
)


@given(st.sampled_from(SCHEMAS), VALUES)
def test_the_bounded_validator_says_what_the_library_says(schema: dict[str, Any], value: Any) -> None:
    assert jsonschema.Draft202012Validator(schema).is_valid(value) == compile_schema(schema).is_valid(value)


@given(VALUES)
def test_what_is_written_as_json_is_read_back(value: Any) -> None:
    assert value == parse_strictly(json.dumps(value))
