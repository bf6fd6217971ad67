"""Trust policies: both implementations refuse the same ones, and let the same keys count, under the same names."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable
from fnmatch import fnmatchcase
from random import Random
from typing import Any

import pytest

from bundle_factory import ISSUER, LOG, fixed_key
from verilabel.errors import MalformedInput
from verilabel.evidence.keys import KeyType
from verilabel.evidence.trust import ROLES, TrustPolicy, parse_trust

KEYS = [ISSUER.public, LOG.public, fixed_key("other").public, fixed_key("witness", "witness.example").public]
WITNESS = KEYS[3].of_type(KeyType.COSIGNATURE)
NAMES = ["Lab", "lab", " LAB  one", "Lab one", "Second", "\x85", "\x1f", "\ufeff"]
PATTERNS = ["*", "a*", "a/?", "[a-c]/*", "[!a]*", "a/[b", "[z-a]", "[!z-a]*", "[]a]/b", "[a-]/b", "*/*b"]
POLICIES = 250
RunNode = Callable[..., list[dict[str, Any]]]


class Drawing:
    """Draws policies; most can be read, and some break a rule."""

    def __init__(self, seed: int) -> None:
        self.source = Random(seed)

    def some(self, values: list[Any], least: int = 1) -> list[Any]:
        return self.source.sample(values, self.source.randint(least, min(3, len(values))))

    def scope(self, *, needs_roles: bool) -> dict[str, Any]:
        scope: dict[str, Any] = {}
        if needs_roles or self.source.random() < 0.5:
            scope["roles"] = self.some(list(ROLES))
        for name in ("rubrics", "systems"):
            if self.source.random() < 0.2:
                scope[name] = self.some(PATTERNS)
        return scope

    def rule(self, depth: int) -> dict[str, Any]:
        kinds = ["key", "key", "key", "witness", "any key"]
        kind = self.source.choice(kinds + ["any", "all", "within"] * 2 * (depth > 0))
        match kind:
            case "key":
                key, name = (
                    self.source.choice(KEYS),
                    self.source.choice(NAMES[: 5 + self.source.randint(0, 3)]),
                )
                return {"key": key.line, "name": name, **self.scope(needs_roles=True)}
            case "witness":
                return {"key": WITNESS.line, "name": "Witness", "roles": ["witness"]}
            case "any key":
                return {"unsafe_accept_any_key": True}
            case "within":
                return {"within": {"accept": self.rule(depth - 1), **self.scope(needs_roles=False)}}
        return {kind: [self.rule(depth - 1) for _ in range(self.source.randint(1, 3))]}

    def policy(self) -> str:
        quorum = self.source.choice([0, 0, 0, 1])
        document = {"format": "verilabel/trust/v1", "witness_quorum": quorum, "accept": self.rule(3)}
        return json.dumps(document, ensure_ascii=True) + "\n"

    def questions(self) -> list[dict[str, Any]]:
        about = [(None, None), ("a/b", "c/d"), ("b/x", "a/b"), ("z", "]/b")]
        return [
            {
                "key": key.line,
                "role": role,
                **{n: v for n, v in (("rubric", rubric), ("system", system)) if v},
            }
            for key in KEYS
            for role in ROLES
            for rubric, system in self.some(about)
        ]


def decided_here(trust: TrustPolicy, questions: list[dict[str, Any]]) -> list[list[Any]]:
    """What the program decides on each question."""
    lines = {key.line: key for key in KEYS}
    decided = []
    for question in questions:
        asked = {name: value for name, value in question.items() if name != "key"}
        decision = trust.accepts(lines[question["key"]], **asked)
        if decision.accepted:
            decided.append([decision.name, decision.is_named, sorted(decision.holders)])
        else:
            decided.append([decision.reason])
    return decided


@pytest.mark.parametrize("seed", [1, 2])
def test_policies_drawn_at_random_decide_alike(run_node: RunNode, seed: int) -> None:
    drawing = Drawing(seed)
    lines: list[dict[str, Any]] = [
        {"reader": "trust", "text": drawing.policy(), "questions": drawing.questions()}
        for _ in range(POLICIES)
    ]
    answers = run_node("read.mjs", lines=lines)
    read = 0
    for line, answer in zip(lines, answers, strict=True):
        try:
            trust = parse_trust(line["text"].encode())
        except MalformedInput as error:
            assert (error.message, "MalformedInput") == (answer.get("refused"), answer.get("kind"))
            continue
        read += 1
        keys = [[key.line for key in trust.keys(role)] for role in ROLES]
        assert {"decided": decided_here(trust, line["questions"]), "keys": keys} == answer.get("value"), line
    assert POLICIES // 4 < read < POLICIES


def test_names_are_one_where_the_program_folds_them_to_one(run_node: RunNode) -> None:
    """Every character: folding it here before folding it there changes nothing, and the other way round."""
    characters = [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(character) not in ("Cn", "Cs", "Co")
    ]
    (there,) = run_node("read.mjs", lines=[{"reader": "names", "text": [f"a{c}b" for c in characters]}])
    (again,) = run_node(
        "read.mjs", lines=[{"reader": "names", "text": [f"a{c}b".casefold() for c in characters]}]
    )
    assert there["value"] == again["value"]
    here = [" ".join(f"a{c}b".casefold().split()) for c in characters]
    assert here == [" ".join(name.casefold().split()) for name in there["value"]]


def test_patterns_match_alike(run_node: RunNode) -> None:
    source = Random(5)
    letters = "ab-]![*?^\\z.🙂"
    drawn = [
        tuple("".join(source.choice(letters) for _ in range(source.randint(0, most))) for most in (5, 8))
        for _ in range(6000)
    ]
    (answer,) = run_node("read.mjs", lines=[{"reader": "matches", "text": drawn}])
    here = [fnmatchcase(name, pattern) for name, pattern in drawn]
    assert 200 < sum(here) < len(here) - 200
    assert [] == [
        pair for pair, ours, theirs in zip(drawn, here, answer["value"], strict=True) if ours != theirs
    ]
