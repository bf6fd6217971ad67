"""A small world for tests of agents: a sum to reach, a program to run, another model to ask."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from verilabel.errors import MalformedInput
from verilabel.records.canonical import digest, jcs, parse_json
from verilabel.records.episode import CallSummary, EpisodeSummary, ToolSpec
from verilabel.records.sample import Message, Sample
from verilabel.suites.format import parse_manifest
from verilabel.suites.loading import Suite
from verilabel.suites.worlds.interface import (
    AskRole,
    Effect,
    Move,
    Outcome,
    ProgramRan,
    RunProgram,
    Script,
    ToolReply,
)

NAME = "test/sums@1.0.0"


def tool(name: str, **types: str) -> ToolSpec:
    """A tool with required arguments of these JSON types."""
    properties: dict[str, object] = {key: {"type": kind} for key, kind in types.items()}
    return ToolSpec(
        name, f"The tool {name}.", {"type": "object", "properties": properties, "required": list(types)}
    )


class SumWorld:
    """`add` a number until the target is reached, which ends the world; `run` a program; `ask` the mark."""

    tools = (tool("add", n="integer"), tool("run", code="string"), tool("ask", text="string"))

    def __init__(self, target: int, *, asks: bool) -> None:
        self.total = 0
        self._target = target
        self._asks = asks

    def begin(self) -> Generator[Effect, Outcome, None]:
        """The mark is asked first, where there is one."""
        if self._asks:
            yield AskRole(role="mark", messages=(Message("user", "Before?"),))

    def call(self, tool: str, arguments: Mapping[str, object]) -> Generator[Effect, Outcome, ToolReply]:
        """One call."""
        if tool == "add" and isinstance(number := arguments.get("n"), int):
            self.total += number
            return ToolReply(f"total {self.total}", over=self.total == self._target)
        if tool == "run" and isinstance(code := arguments.get("code"), str):
            ran = yield RunProgram(argv=("python3", "main.py"), files={"main.py": code}, stdin="in")
            assert isinstance(ran, ProgramRan)
            return ToolReply(f"{ran.exit_status}: {ran.stdout}{ran.stderr}")
        if tool == "ask" and isinstance(text := arguments.get("text"), str):
            said = yield AskRole(role="mark", messages=(Message("user", text),))
            return ToolReply(f"the mark says {said}")
        return ToolReply("Error: no such call", failed=True)

    def end(self) -> Generator[Effect, Outcome, None]:
        """The mark is asked last."""
        if self._asks:
            yield AskRole(role="mark", messages=(Message("user", "After?"),))


def add_to_target(sample: Sample, _: str, calls: Sequence[CallSummary]) -> Move:
    """The oracle: adds one until the sum is there."""
    return CallSummary("add", '{"n":1}', "") if len(calls) < int(sample.target[0]) else "done"


def run_once(_: Sample, __: str, calls: Sequence[CallSummary]) -> Move:
    """Runs a program and tells what it wrote."""
    code = jcs({"code": "print(input())"}).decode()
    return calls[0].result if calls else CallSummary("run", code, "")


def ask_once(_: Sample, __: str, calls: Sequence[CallSummary]) -> Move:
    """Asks the mark and ends."""
    return "bye" if calls else CallSummary("ask", '{"text":"Well?"}', "")


class SumEnvironment:
    """Worlds of `SumWorld`."""

    id = "test/sums"
    version = "1.0.0"
    summary = "Sums."
    events = ("solved",)
    needs_box = False
    roles: tuple[str, ...] = ()
    scripts: Mapping[str, Script] = {
        "oracle": add_to_target,
        "random": run_once,
        "null": lambda *_: "",
        "refusing": ask_once,
    }

    def __init__(self, *, needs_box: bool = False, roles: tuple[str, ...] = ()) -> None:
        self.needs_box = needs_box
        self.roles = roles

    def generate(self, seed: str, count: int) -> list[Sample]:
        """Samples with the targets 2, 3, 4, ..."""
        return [
            Sample(f"{seed}{i}", (Message("user", f"Reach {i + 2}."),), target=(str(i + 2),))
            for i in range(count)
        ]

    def open(self, sample: Sample) -> SumWorld:
        """The world of a sample."""
        if not sample.target:
            raise MalformedInput("not a sum")
        return SumWorld(int(sample.target[0]), asks=bool(self.roles))

    def judge(self, sample: Sample, episode: EpisodeSummary) -> dict[str, bool]:
        """Whether the sum was reached, from the arguments of its calls alone."""
        made = [c for c in episode.calls if c.tool == "add" and not c.failed]
        added = [parse_json(call.arguments.encode(), where="$")["n"] for call in made]
        return {"solved": sum(added) == int(sample.target[0])}


def sum_suite(count: int = 3) -> Suite:
    """A suite of sums, without a file."""
    content = b"test"
    manifest = parse_manifest(
        {
            "verilabel": "suite/v1",
            "id": "test/sums",
            "version": "1.0.0",
            "title": "Sums",
            "license": "CC0-1.0",
            "data": {"format": "jsonl", "file": "x.jsonl", "sha256": "0" * 64},
            "fields": {"prompt": "prompt"},
            "scorer": "refusal",
            "environment": NAME,
        },
        where="test",
    )
    samples = tuple(SumEnvironment().generate("s", count))
    return Suite(manifest, digest(content), samples, Path("test"), content)
