"""A scripted agent as a provider of Inspect: it needs no network, and says its own usage so that nothing is fetched."""

from __future__ import annotations

import importlib
import json
from typing import Any

from .scripts import Say, Situation, play

SCRIPTED = "verilabel_scripted"
MAX_TURNS = 100
"""A conversation that goes on for longer ends with an error: some solvers urge an agent that says nothing for ever."""


def register_scripted_model(choice: dict[str, Any]) -> None:
    """Register the provider. `choice` may hold `answers`, sample id to the text that is said, and a `seed`."""
    model = importlib.import_module("inspect_ai.model")
    _spare_providers()
    answers, seed = choice.get("answers"), str(choice.get("seed", ""))

    async def generate(self: Any, input: list[Any], tools: list[Any], tool_choice: Any, config: Any) -> Any:
        del tool_choice, config
        situation = _situation(input, tools, answers, seed)
        if situation.turn > MAX_TURNS:
            raise RuntimeError(f"the scripted agent was asked more than {MAX_TURNS} times in one sample")
        move = play(self.model_name, situation)
        output = _output(model, self.model_name, situation.turn, move)
        sizes = [sum(len(message.text) for message in input) // 4 + 1, len(str(move)) // 4 + 1]
        output.usage = model.ModelUsage(
            input_tokens=sizes[0], output_tokens=sizes[1], total_tokens=sum(sizes)
        )
        request = {"model": self.model_name, "turn": situation.turn, "tools": sorted(situation.tools)}
        return output, model.ModelCall.create(request, _as_plain(move))

    async def count_text_tokens(self: Any, text: str) -> int:
        del self
        return len(text) // 4 + 1

    members = {"generate": generate, "count_text_tokens": count_text_tokens, "__module__": __name__}
    provider = type("ScriptedAPI", (model.ModelAPI,), members)
    model.modelapi(name=SCRIPTED)(provider)


def _spare_providers() -> None:
    """Keep Inspect from loading the clients of providers that a scripted agent never asks: seconds of every run.

    It loads them for the state that they keep within a sample. A grader that is a real model loads its own.
    """
    state = importlib.import_module("inspect_ai.model._assistant_internal")
    for name in ("_HAS_OPENAI", "_HAS_ANTHROPIC"):
        if hasattr(state, name):
            setattr(state, name, False)


def _situation(messages: list[Any], tools: list[Any], answers: dict[str, str] | None, seed: str) -> Situation:
    active = importlib.import_module("inspect_ai.log._samples").sample_active()
    state = importlib.import_module("inspect_ai.solver._task_state").sample_state()
    sample = active.sample
    target = list(sample.target) if isinstance(sample.target, list) else [sample.target]
    return Situation(
        sample=str(sample.id),
        epoch=active.epoch,
        turn=sum(message.role == "assistant" for message in messages),
        texts=[message.text for message in messages],
        tools={tool.name: _schema(tool) for tool in tools},
        target=[str(item) for item in target],
        choices=list(sample.choices or []),
        metadata=(state.metadata if state is not None else sample.metadata) or {},
        answers=answers,
        seed=seed,
    )


def _schema(tool: Any) -> dict[str, Any]:
    parameters = tool.parameters
    value = json.loads(parameters.model_dump_json(exclude_none=True))
    return value if isinstance(value, dict) else {}


def _output(model: Any, name: str, turn: int, move: Any) -> Any:
    if isinstance(move, Say):
        return model.ModelOutput.from_content(name, move.text)
    return model.ModelOutput.for_tool_call(
        name, move.tool, dict(move.arguments), tool_call_id=f"call-{turn}", content=""
    )


def _as_plain(move: Any) -> dict[str, Any]:
    if isinstance(move, Say):
        return {"text": move.text}
    return {"tool": move.tool, "arguments": json.loads(json.dumps(move.arguments, default=str))}
