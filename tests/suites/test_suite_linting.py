"""Lint: what a careful reader would object to is found, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from verilabel.suites.linting import lint_suite
from verilabel.suites.loading import load_suite

MakeSuite = Callable[..., Path]
SOURCED = "source: {citation: me}"


def rules(folder: Path) -> list[tuple[str, str]]:
    return [(finding.severity, finding.rule) for finding in lint_suite(load_suite(folder))]


def test_a_clean_suite_has_no_findings(make_suite: MakeSuite) -> None:
    assert rules(make_suite(b"prompt\none\ntwo\n", rest=SOURCED)) == []


@pytest.mark.parametrize(
    ("second", "rule"),
    [
        ("What is it?", "duplicate-prompt"),
        ("what  is it", "near-duplicate-prompt"),
        ("What-is: IT!", "near-duplicate-prompt"),
    ],
)
def test_repeated_prompts_are_found(make_suite: MakeSuite, second: str, rule: str) -> None:
    folder = make_suite(f"prompt\nWhat is it?\n{second}\nWhat is that?\n".encode(), rest=SOURCED)
    (finding,) = lint_suite(load_suite(folder))
    assert (finding.rule, finding.samples) == (rule, ("1", "2"))


def test_repeated_prompts_inside_one_family_are_meant(make_suite: MakeSuite) -> None:
    fields = "  prompt: prompt\n  family: f"
    assert rules(make_suite(b"prompt,f\nx y,a\nX Y,a\n", fields=fields, rest=SOURCED)) == []


def quiz(letters: str, options: tuple[str, str] = ("red", "blue")) -> bytes:
    rows = [{"q": f"Number {n}?", "a": options[0], "b": options[1], "g": g} for n, g in enumerate(letters)]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


QUIZ = "  prompt: q\n  choices: [a, b]\n  target: {column: g, read: letter}"
SHOWN = SOURCED + '\ntemplate: "{prompt}\\n{choices}"'


def test_golds_on_one_letter_are_found_and_even_ones_are_not(make_suite: MakeSuite) -> None:
    lopsided = make_suite(quiz("A" * 40 + "B" * 10), "jsonl", QUIZ, rest=SHOWN, scorer="choice")
    assert rules(lopsided) == [("warning", "unbalanced-gold")] * 2
    even = make_suite(quiz("AB" * 25), "jsonl", QUIZ, rest=SHOWN, scorer="choice")
    assert rules(even) == []


def test_two_equal_options_and_hidden_options_are_problems(make_suite: MakeSuite) -> None:
    twice = make_suite(quiz("AB" * 5, ("Red", "red ")), "jsonl", QUIZ, rest=SHOWN, scorer="choice")
    assert rules(twice) == [("problem", "duplicate-option")]
    hidden = make_suite(quiz("AB" * 5), "jsonl", QUIZ, rest=SOURCED, scorer="choice")
    assert rules(hidden) == [("problem", "hidden-option")]


def test_missing_facts_are_found_with_their_samples(make_suite: MakeSuite) -> None:
    fields = "  prompt: prompt\n  family: f\n  tags: {hazard: h}"
    folder = make_suite(b"prompt,f,h\none,a,x\ntwo,,\n", fields=fields)
    found = {finding.rule: finding.samples for finding in lint_suite(load_suite(folder))}
    assert found == {"missing-tag": ("2",), "missing-family": ("2",), "no-citation": ()}


def test_a_prompt_beyond_most_contexts_is_found(make_suite: MakeSuite) -> None:
    data = b"prompt\n" + b"word " * 20_001 + b"\n"
    assert rules(make_suite(data, rest=SOURCED)) == [("warning", "long-prompt")]
