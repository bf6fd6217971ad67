"""Scripted agents as models: the baselines that every score is read against (`scripted:oracle` and the like).

On an agentic suite the environment's own script plays; on a plain one the oracle gives the gold answer, the random one
a random option or word, the null one next to nothing, and the refusing one refuses. Identity `simulated`: a label of
such a system is a statement about the suite and never about a model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import msgspec

from verilabel.errors import UsageError
from verilabel.evaluation.inspect_backend.suite import is_inspect_suite
from verilabel.models.inspect_model import SCRIPTS
from verilabel.models.interface import Exchange, ModelRequest, PlainRequest, PlainResponse, Stopwatch
from verilabel.models.tools.interface import Answered, Returned, ToolAnswer, ToolQuestion, Turn
from verilabel.models.tools.plain import PLAIN_TOOLS, encode_turn
from verilabel.records.episode import CallSummary, ToolUse
from verilabel.records.sample import Sample
from verilabel.records.system import Identity
from verilabel.suites.loading import Suite
from verilabel.suites.worlds.interface import Environment, Script

SCHEME = "scripted:"
NAMES = ("oracle", "random", "null", "refusing")
TURNED = ("hijacked", "overreaching")
"""Able agents that do what strangers say, or break a rule where that is shorter; elsewhere they are the oracle."""
NOTHING = "..."
REFUSAL = "I'm sorry, but I can't help with that."
NO_GOLD = "No gold answer is known to this question."
_encoder = msgspec.json.Encoder()


class ScriptedModel:
    """A scripted agent: `scripted:NAME` or `scripted:NAME,seed=7`.

    `suites` are those that it will be asked, `environments` maps the names (`id@version`) of the agentic ones to their
    environments. What it does depends on its address, the suite, the sample and, where it is random, the epoch. Raises
    UsageError for a name that none of the suites knows.
    """

    identity: Identity = "simulated"
    fixed_outcomes = False
    weights: str | None = None
    base_url: str | None = None
    max_concurrency: int | None = None
    notes: tuple[str, ...] = ("a scripted agent: its label says something of the suites, nothing of a model",)

    def __init__(
        self, address: str, suites: Sequence[Suite], environments: Mapping[str, Environment]
    ) -> None:
        self._name, self._seed = _parse(address, _names_for(suites, environments))
        shown = f",seed={self._seed}" if self._seed else ""
        self.address = self.provider_model = f"{SCHEME}{self._name}{shown}"
        self._samples = {(suite.name, sample.id): sample for suite in suites for sample in suite.samples}
        self._scripts = {
            suite: _script_of(environment, self._name) for suite, environment in environments.items()
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def ask(self, request: ModelRequest) -> Exchange:
        """Answer a plain suite's sample."""
        watch = Stopwatch()
        sample = self._samples[request.suite, request.sample]
        output = self._answer(sample, f"{self._seed}:{request.suite}:{request.sample}:{request.epoch}")
        return Exchange(
            request=_encoder.encode(PlainRequest(self.provider_model, request.messages, request.params)),
            status=200,
            response=_encoder.encode(PlainResponse(output, self._name)),
            output=output,
            finish="stop",
            served_model=self._name,
            started_us=watch.started_us,
            elapsed_us=watch.elapsed_us,
        )

    async def converse(self, question: ToolQuestion) -> ToolAnswer:
        """Make the script's next move in an agentic suite's sample."""
        watch = Stopwatch()
        suite, sample, epoch = question.key
        calls = calls_of(question.turns)
        move = self._scripts[suite](
            self._samples[suite, sample], f"{self._seed}:{suite}:{sample}:{epoch}", calls
        )
        turn = Answered(move) if isinstance(move, str) else _turn_of(move, len(calls))
        exchange = Exchange(
            request=PLAIN_TOOLS.encode(question, self.provider_model),
            status=200,
            response=encode_turn(turn, self._name),
            output=turn.text,
            finish="tool_calls" if turn.calls else "stop",
            served_model=self._name,
            started_us=watch.started_us,
            elapsed_us=watch.elapsed_us,
        )
        return ToolAnswer(exchange, turn)

    def _answer(self, sample: Sample, seed: str) -> str:
        match self._name:
            case "oracle" | "hijacked" | "overreaching":
                return sample.target[0] if sample.target else NO_GOLD
            case "random":
                options = [chr(ord("A") + i) for i in range(len(sample.choices))]
                return _draw(options or sample.prompt.split() or [NOTHING], seed)
            case "refusing":
                return REFUSAL
            case _:
                return NOTHING


def calls_of(turns: Sequence[Turn]) -> tuple[CallSummary, ...]:
    """The calls of a conversation with their results, as a script is shown them."""
    uses = {use.id: use for turn in turns if isinstance(turn, Answered) for use in turn.calls}
    return tuple(
        CallSummary(turn.name, uses[turn.call].arguments, turn.text, turn.failed)
        for turn in turns
        if isinstance(turn, Returned)
    )


def is_scripted(address: str) -> bool:
    """True for the address of a scripted agent."""
    return address.startswith(SCHEME)


def _names_for(suites: Sequence[Suite], environments: Mapping[str, Environment]) -> tuple[str, ...]:
    """The scripted agents that can be asked these suites: the four that know all, and those that some can turn."""
    turned = {name for environment in environments.values() for name in TURNED if name in environment.scripts}
    if any(is_inspect_suite(suite) for suite in suites):
        turned = {name for name in {*turned, *TURNED} if name in SCRIPTS}
    return tuple(sorted({*NAMES, *turned}))


def _script_of(environment: Environment, name: str) -> Script:
    """An environment's script: one that is turned is turned in this world's way, and able where nothing turns it."""
    ways = (name, *TURNED) if name in TURNED else (name,)
    known = next((way for way in ways if way in environment.scripts), "oracle")
    return environment.scripts[known]


def _parse(address: str, names: Sequence[str]) -> tuple[str, str]:
    name, _, option = address.removeprefix(SCHEME).partition(",")
    if name not in names:
        raise UsageError(
            "no scripted agent of this name knows these suites",
            where=address,
            hint=", ".join(map(SCHEME.__add__, names)),
        )
    key, _, seed = option.partition("=")
    if option and (key != "seed" or not seed.isascii() or not seed.isalnum() or len(seed) > 64):
        raise UsageError("a scripted agent has one option", where=address, hint=f"{SCHEME}random,seed=7")
    return name, seed


def _turn_of(move: CallSummary, number: int) -> Answered:
    return Answered("", (ToolUse(f"call-{number + 1}", move.tool, move.arguments),))


def _draw(options: Sequence[str], seed: str) -> str:
    number = int.from_bytes(hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    return options[number % len(options)]
