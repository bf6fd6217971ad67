"""What a policy may say of guards: kinds, settings, versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.gateway.guards.catalogue import Resources, check_settings, open_guard
from verilabel.gateway.policy.document import GuardEntry


def entry(use: str, settings: dict[str, Any] | None = None, **more: Any) -> GuardEntry:
    return GuardEntry(id="tested", use=use, settings=settings or {}, **more)


def version_of(use: str, settings: dict[str, Any] | None = None) -> str:
    return open_guard(entry(use, settings), Resources(folder=Path(), environ={})).version


@pytest.mark.parametrize(
    ("use", "settings", "where", "said"),
    [
        ("jailbrake", {}, "$.guards[0].use", "no kind of guard 'jailbrake'"),
        ("length", {}, "$.guards[0].settings", "missing required field `max_chars`"),
        ("length", {"max_chars": "10"}, "$.guards[0].settings.max_chars", "Expected `int`"),
        ("length", {"max_chars": 10, "min": 2}, "$.guards[0].settings", "unknown field `min`"),
        ("system_leak", {"words": 3}, "$.guards[0].settings", "words must be from 8 to 200"),
        ("topics", {}, "$.guards[0].settings", "topics that are forbidden"),
        ("topics", {"forbidden": {"war": [""]}}, "$.guards[0].settings", "a word is empty"),
        ("topics", {"forbidden": {"a": ["b"]}, "allowed": {"a": ["c"]}}, "$.guards[0].settings", "both"),
        ("language", {"allowed": ["xx"]}, "$.guards[0].settings", "no language 'xx'"),
        ("language", {"allowed": []}, "$.guards[0].settings", "allow at least one"),
        ("json", {"schema": {"type": "banana"}}, "$.guards[0].settings.schema", "not a JSON schema"),
        (
            "json",
            {"schema": {"patternProperties": {"^a": {}}}},
            "$.guards[0].settings.schema",
            "patternProperties",
        ),
        ("json", {"schema": {"pattern": "(a)\\1"}}, "$.guards[0].settings.schema", "linear time"),
        ("json", {"schema": {}, "schema_file": "s.json"}, "$.guards[0].settings", "not both"),
        (
            "model",
            {"family": "oracle", "model": "m", "base_url": "http://x/v1"},
            "$.guards[0].settings",
            "oracle",
        ),
        (
            "model",
            {"family": "judge", "model": "m", "base_url": "ftp://x"},
            "$.guards[0].settings.base_url",
            "http",
        ),
        (
            "model",
            {"family": "judge", "model": "m", "base_url": "http://far.example/v1", "key_env": "K"},
            "$.guards[0].settings.base_url",
            "unencrypted",
        ),
        (
            "model",
            {"family": "llama-guard", "model": "m", "base_url": "http://x/v1", "policy": "No cats."},
            "$.guards[0].settings",
            "brings its own policy",
        ),
        ("factuality", {}, "$.guards[0].settings", "give url or model"),
        ("guardrails", {"validators": []}, "$.guards[0].settings", "at least one"),
        ("guardrails", {"validators": [{"use": "os:system()"}]}, "$.guards[0].settings", "module:Class"),
        ("presidio", {"processes": 0}, "$.guards[0].settings", "processes is from 1"),
    ],
)
def test_a_mistake_in_the_settings_is_named_with_its_place(
    use: str, settings: dict[str, Any], where: str, said: str
) -> None:
    with pytest.raises(MalformedInput) as raised:
        check_settings(entry(use, settings), "$.guards[0]")
    assert raised.value.where is not None and raised.value.where.startswith(where)
    assert said in str(raised.value)


def test_a_guard_that_reads_answers_is_not_put_on_requests() -> None:
    with pytest.raises(MalformedInput, match="refusal cannot look at the input"):
        check_settings(entry("refusal", on=("input", "output")), "$.guards[2]")


@pytest.mark.parametrize("use", ["jailbreak", "harmful", "refusal", "system_leak", "json"])
def test_a_guard_without_settings_is_taken_as_it_is(use: str) -> None:
    check_settings(entry(use), "$.guards[0]")
    assert version_of(use).startswith("sha256:")


def test_a_version_changes_with_every_setting_and_with_nothing_else() -> None:
    assert version_of("length", {"max_chars": 10}) == version_of("length", {"max_chars": 10})
    assert version_of("length", {"max_chars": 10}) != version_of("length", {"max_chars": 11})
    assert version_of("jailbreak") != version_of("jailbreak", {"threshold": 0.9})
    assert version_of("harmful") != version_of("refusal")


def test_a_version_is_over_what_a_file_holds_and_not_over_its_name_alone(tmp_path: Path) -> None:
    guard, resources = entry("json", {"schema_file": "schema.json"}), Resources(folder=tmp_path, environ={})
    versions = []
    for content in ('{"type": "object"}', '{"type": "array"}', '{"type": "object"}'):
        (tmp_path / "schema.json").write_text(content)
        versions.append(open_guard(guard, resources).version)
    assert versions[0] == versions[2] != versions[1]


def test_a_model_guards_version_names_its_model_and_policy_but_not_its_key() -> None:
    base = {"family": "judge", "model": "m", "base_url": "http://127.0.0.1:1/v1"}
    assert version_of("model", base) == version_of("model", {**base, "key_env": "K", "concurrency": 3})
    assert version_of("model", base) != version_of("model", {**base, "policy": "Nothing about cats."})
    assert version_of("model", base) != version_of("model", {**base, "model": "n"})


def test_a_schema_file_outside_the_policys_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.json").write_text("{}")
    folder = tmp_path / "policy"
    folder.mkdir()
    resources = Resources(folder=folder, environ={})
    with pytest.raises(MalformedInput, match="outside the policy's folder"):
        open_guard(entry("json", {"schema_file": "../outside.json"}), resources)
    with pytest.raises(UsageError, match="cannot be read"):
        open_guard(entry("json", {"schema_file": "absent.json"}), resources)
    (folder / "big.json").write_text(" " * (2**20 + 1))
    with pytest.raises(LimitExceeded):
        open_guard(entry("json", {"schema_file": "big.json"}), resources)
