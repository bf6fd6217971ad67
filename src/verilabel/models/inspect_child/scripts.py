"""Scripted agents: from what an agent sees, and what only a script may know of the sample, to its next move."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .agentdojo_script import plan_agentdojo
from .threat_bench_script import plan_threat_bench

REFUSAL = "I'm sorry, but I can't help with that."
MAX_RANDOM_CALLS = 8
SUBMIT = "submit"
"""The tool by which Inspect's agents give their answer."""


@dataclass(frozen=True)
class Situation:
    """One question to a scripted agent. `turn` counts the assistant's messages before it."""

    sample: str
    epoch: int
    turn: int
    texts: list[str]
    tools: dict[str, dict[str, Any]]
    target: list[str]
    choices: list[str]
    metadata: dict[str, Any]
    answers: dict[str, str] | None = None
    seed: str = ""


@dataclass(frozen=True)
class Say:
    """A message without a call."""

    text: str


@dataclass(frozen=True)
class Call:
    """One call of a tool."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)


Move = Say | Call


def play(script: str, situation: Situation) -> Move:
    """The next move of the script of this name. Raises ValueError for a name that is none."""
    if script not in SCRIPTS:
        raise ValueError(f"no scripted agent {script!r}: {', '.join(SCRIPTS)}")
    return SCRIPTS[script](situation)


def _play_null(situation: Situation) -> Move:
    """Nothing; where the solver urges it on, an empty submission."""
    return _urged(situation, "")


def _play_refusing(situation: Situation) -> Move:
    return _urged(situation, REFUSAL)


def _urged(situation: Situation, text: str) -> Move:
    if situation.turn > 0 and SUBMIT in situation.tools:
        return _submit(situation, text)
    return Say(text)


def _submit(situation: Situation, text: str) -> Move:
    names = list(situation.tools[SUBMIT].get("properties", {})) or ["answer"]
    return Call(SUBMIT, {names[0]: text})


def _answer(situation: Situation, text: str) -> Move:
    return _submit(situation, text) if SUBMIT in situation.tools else Say(text)


def _play_answers(situation: Situation) -> Move:
    """The text that was given for the sample."""
    if situation.answers is None or situation.sample not in situation.answers:
        raise ValueError(f"no answer was given for the sample {situation.sample!r}")
    return _answer(situation, situation.answers[situation.sample])


def _play_oracle(situation: Situation) -> Move:
    return _play_plan(situation, hijacked=False)


def _play_hijacked(situation: Situation) -> Move:
    return _play_plan(situation, hijacked=True)


def _play_plan(situation: Situation, *, hijacked: bool) -> Move:
    """The known way to the goal of known suites, else the target as the answer."""
    plan = plan_agentdojo(situation.metadata, hijacked) or plan_threat_bench(situation.metadata, hijacked)
    if plan is None:
        return _answer(situation, _gold(situation))
    calls, text = plan
    if situation.turn < len(calls):
        return Call(*calls[situation.turn])
    return _answer(situation, text)


def _gold(situation: Situation) -> str:
    if situation.choices:
        return f"ANSWER: {','.join(situation.target)}"
    return situation.target[0] if situation.target else ""


def _play_random(situation: Situation) -> Move:
    """Calls of tools with arguments by their schemas and words of the conversation, then some words or a letter."""
    key = "\x1f".join((situation.seed, situation.sample, str(situation.epoch), str(situation.turn)))
    chance = random.Random(hashlib.sha256(key.encode()).digest())  # noqa: S311
    words = [word for text in situation.texts[-4:] for word in text.split()[:400]] or ["yes", "no"]
    names = sorted(set(situation.tools) - {SUBMIT})
    if names and situation.turn < MAX_RANDOM_CALLS and chance.random() < 0.8:
        name = chance.choice(names)
        return Call(name, _random_object(situation.tools[name], words, chance, 0))
    if situation.choices:
        return _answer(situation, f"ANSWER: {chr(65 + chance.randrange(len(situation.choices)))}")
    return _answer(situation, " ".join(chance.choice(words) for _ in range(chance.randint(1, 12))))


def _random_object(
    schema: dict[str, Any], words: list[str], chance: random.Random, depth: int
) -> dict[str, Any]:
    properties = schema.get("properties", {})
    return {name: _random_value(part, words, chance, depth + 1) for name, part in properties.items()}


def _random_value(schema: dict[str, Any], words: list[str], chance: random.Random, depth: int) -> Any:
    if schema.get("enum"):
        return chance.choice(schema["enum"])
    if schema.get("anyOf"):
        return _random_value(chance.choice(schema["anyOf"]), words, chance, depth + 1)
    kind = schema.get("type")
    kind = chance.choice(kind) if isinstance(kind, list) else kind
    plain: dict[Any, Callable[[], Any]] = {
        "integer": lambda: chance.randint(0, 5),
        "number": lambda: chance.randint(0, 500) / 10,
        "boolean": lambda: chance.random() < 0.5,
        "null": lambda: None,
    }
    if kind in plain:
        return plain[kind]()
    if kind == "array" and depth < 6:
        part = schema.get("items") or {}
        return [_random_value(part, words, chance, depth + 1) for _ in range(chance.randint(0, 2))]
    if kind == "object" and depth < 6:
        return _random_object(schema, words, chance, depth)
    return " ".join(chance.choice(words) for _ in range(chance.randint(1, 3)))


SCRIPTS: dict[str, Callable[[Situation], Move]] = {
    "oracle": _play_oracle,
    "hijacked": _play_hijacked,
    "random": _play_random,
    "null": _play_null,
    "refusing": _play_refusing,
    "answers": _play_answers,
}
