"""A world of tools: the schemas that the model is shown, and the strict reading of a call before the world sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from typing import Literal

import msgspec

from verilabel.records.episode import ToolSpec
from verilabel.suites.worlds.interface import Effect, Outcome, ToolReply

MAX_TEXT = 20_000
"""Characters of one argument; longer ones fail."""
MAX_NUMBER = 10**12


class Parameter(msgspec.Struct, frozen=True):
    """One required argument: its name, what it is for, its type, and the values it may have."""

    name: str
    description: str
    type: Literal["string", "integer"] = "string"
    enum: tuple[str, ...] = ()


class Given(msgspec.Struct, frozen=True):
    """The arguments of a call that fits its tool."""

    texts: dict[str, str]
    numbers: dict[str, int]


class BadArguments(Exception):
    """The arguments of a call do not fit its tool; the message is for the model."""


def tool_of(name: str, description: str, *parameters: Parameter) -> ToolSpec:
    """A tool all of whose parameters are required, with its JSON Schema."""
    properties: dict[str, object] = {}
    for parameter in parameters:
        shown: dict[str, object] = {"type": parameter.type, "description": parameter.description}
        if parameter.enum:
            shown["enum"] = list(parameter.enum)
        properties[parameter.name] = shown
    schema: dict[str, object] = {
        "type": "object",
        "properties": properties,
        "required": [parameter.name for parameter in parameters],
        "additionalProperties": False,
    }
    return ToolSpec(name=name, description=description, parameters=schema)


class ToolWorld(ABC):
    """A world whose calls are read strictly first; a subclass answers those that fit.

    A failed reply never changes the world: whoever plays an episode again may leave failed calls out.
    """

    tools: tuple[ToolSpec, ...]

    def begin(self) -> Generator[Effect, Outcome, None]:
        """Nothing happens before the agent is asked."""
        yield from ()

    def call(self, tool: str, arguments: Mapping[str, object]) -> Generator[Effect, Outcome, ToolReply]:
        """One call of the agent; a failed reply for a tool that is not there and for arguments that do not fit."""
        spec = next((spec for spec in self.tools if spec.name == tool), None)
        if spec is None:
            names = ", ".join(spec.name for spec in self.tools)
            return ToolReply(f"Error: there is no tool {tool[:60]!r}; the tools are {names}", failed=True)
        try:
            given = read_arguments(spec, arguments)
        except BadArguments as error:
            return ToolReply(f"Error: {error}", failed=True)
        return (yield from self.answer(tool, given))

    @abstractmethod
    def answer(self, tool: str, given: Given) -> Generator[Effect, Outcome, ToolReply]:
        """The reply to a call that fits its tool."""

    def end(self) -> Generator[Effect, Outcome, None]:
        """Nothing happens after the agent's last step."""
        yield from ()


def read_arguments(spec: ToolSpec, arguments: Mapping[str, object]) -> Given:
    """The arguments of exactly the tool's parameters. Raises BadArguments with a message for the model."""
    properties = spec.parameters["properties"]
    assert isinstance(properties, dict)
    if unknown := sorted(set(arguments) - set(properties)):
        raise BadArguments(
            f"unknown argument {unknown[0][:60]!r}; the arguments are {', '.join(properties) or 'none'}"
        )
    texts: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for name, shown in properties.items():
        if name not in arguments:
            raise BadArguments(f"argument {name!r} is missing")
        value = arguments[name]
        if shown["type"] == "integer":
            numbers[name] = _read_number(name, value)
        else:
            texts[name] = _read_text(name, value, shown.get("enum"))
    return Given(texts, numbers)


def _read_number(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadArguments(f"argument {name!r} must be an integer")
    if abs(value) > MAX_NUMBER:
        raise BadArguments(f"argument {name!r} is out of range")
    return value


def _read_text(name: str, value: object, enum: list[str] | None) -> str:
    if not isinstance(value, str):
        raise BadArguments(f"argument {name!r} must be a string")
    if len(value) > MAX_TEXT:
        raise BadArguments(f"argument {name!r} is longer than {MAX_TEXT} characters")
    if enum is not None and value not in enum:
        raise BadArguments(f"argument {name!r} must be one of {', '.join(enum)}")
    return value
