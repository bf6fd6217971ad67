"""What scripted agents have in common: saying nothing, refusing, following a list of moves, calling at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from verilabel.records.episode import CallSummary, ToolSpec
from verilabel.records.sample import Sample
from verilabel.suites.worlds.chance import Chance
from verilabel.suites.worlds.interface import Move, Script
from verilabel.suites.worlds.playing import call_of

REFUSAL = "I'm sorry, but I can't help with that."
DONE = "Done."


def say_nothing(*_: object) -> Move:
    """The null agent: an empty answer, and no call."""
    return ""


def refuse(*_: object) -> Move:
    """The refusing agent: a refusal, and no call."""
    return REFUSAL


def follow(moves_of: Callable[[Sample], Sequence[Move]]) -> Script:
    """An agent that makes a sample's moves one after another and then says that it is done."""

    def script(sample: Sample, _seed: str, calls: Sequence[CallSummary]) -> Move:
        moves = moves_of(sample)
        return moves[len(calls)] if len(calls) < len(moves) else DONE

    return script


def call_at_random(tools: Sequence[ToolSpec], words: Sequence[str], chance: Chance) -> CallSummary:
    """A call of a tool drawn at random, its texts drawn from `words` and its numbers from 1 to 4."""
    tool = chance.choose(tools)
    properties = tool.parameters["properties"]
    assert isinstance(properties, dict)
    arguments: dict[str, str | int] = {}
    for name, shown in properties.items():
        if shown["type"] == "integer":
            arguments[name] = chance.between(1, 4)
        else:
            arguments[name] = chance.choose(shown.get("enum") or words)
    return call_of(tool.name, **arguments)
