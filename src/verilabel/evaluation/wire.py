"""Recorded exchanges read again: does a request body ask this question, and what does a response body say.

A wire is the way one kind of model is spoken to. Which one it was follows from the system's provider; where a
provider has several dialects, the one in which the request asks the question is the one that was used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from verilabel.errors import MalformedInput, VerilabelError
from verilabel.models.address import PROVIDERS
from verilabel.models.dialects.dialect import DECODE_ERRORS, Decoded, Dialect, empty, malformed
from verilabel.models.dialects.openai_chat import OPENAI_CHAT, OPENAI_CHAT_OFFICIAL
from verilabel.models.interface import ModelRequest, PlainRequest, PlainResponse
from verilabel.records.attempt import Failure

_encoder = msgspec.json.Encoder()
_plain = msgspec.json.Decoder(PlainResponse)


class Wire(Protocol):
    """How requests are written and responses read. `free` names the fields of a request that ask nothing."""

    free: frozenset[str]
    read_fields: tuple[str, ...]
    """What of an answer stands in the response body."""

    def encode(self, request: ModelRequest) -> bytes:
        """The body that asks this question."""
        ...

    def read(self, request: str, response: bytes) -> Decoded | Failure:
        """What the response body says; never raises."""
        ...


class HttpWire:
    """One dialect, and the model's name in it."""

    free: frozenset[str] = frozenset()
    read_fields: tuple[str, ...] = ("output", "finish", "served_model", "fingerprint", "usage")

    def __init__(self, dialect: Dialect, name: str) -> None:
        self._dialect = dialect
        self._name = name

    def encode(self, request: ModelRequest) -> bytes:
        """The body that asks this question."""
        return self._dialect.encode(request, self._name)

    def read(self, request: str, response: bytes) -> Decoded | Failure:
        """What the dialect's codec reads from the body."""
        del request
        return self._dialect.decode(response) if response else empty("no body")


class PlainWire:
    """Models without a wire of their own: recorded, simulated, in process."""

    read_fields: tuple[str, ...] = ("output", "served_model")

    def __init__(self, name: str, *, free: frozenset[str]) -> None:
        self._name = name
        self.free = free

    def encode(self, request: ModelRequest) -> bytes:
        """The body that asks this question."""
        return _encoder.encode(PlainRequest(self._name, request.messages, request.params))

    def read(self, request: str, response: bytes) -> Decoded | Failure:
        """The output that stands in the body."""
        del request
        try:
            said = _plain.decode(response)
        except DECODE_ERRORS as error:
            return malformed(error)
        return Decoded(said.output, served_model=said.model)


class _Question(msgspec.Struct):
    id: str


class _Line(msgspec.Struct):
    id: Any = None
    output: str | None = None
    model: str | None = None
    finish: str | None = None


_question = msgspec.json.Decoder(_Question)
_line = msgspec.json.Decoder(_Line)


class CommandWire:
    """Programs asked by lines; a question's id is opaque and asks nothing, but the answer must repeat it."""

    free: frozenset[str] = frozenset({"id"})
    read_fields: tuple[str, ...] = ("output", "finish", "served_model")

    def encode(self, request: ModelRequest) -> bytes:
        """The body that asks this question, without its id."""
        return _encoder.encode({"messages": request.messages, "params": request.params})

    def read(self, request: str, response: bytes) -> Decoded | Failure:
        """The output of the line that answers the request."""
        try:
            asked, said = _question.decode(request), _line.decode(response)
        except DECODE_ERRORS as error:
            return malformed(error)
        if said.id != asked.id:
            return malformed("the answer's id is not the question's")
        if said.output is None or not said.output.strip():
            return empty("no output")
        return Decoded(said.output, said.finish, said.model)


def wires_of(name: str, *, is_address: bool = False) -> tuple[Wire, ...]:
    """The wires by which a model may have been asked, by a descriptor's `provider_model` or a judge's address.

    An address does not say how a plain model names itself in its requests, so there the name is not compared.
    """
    scheme, sign, rest = name.partition("/")
    dialects = [p.dialect for key, p in PROVIDERS.items() if sign and scheme in (key, p.name)]
    if OPENAI_CHAT_OFFICIAL in dialects:
        dialects.append(OPENAI_CHAT)
    if dialects:
        return tuple(HttpWire(dialect, rest) for dialect in dialects)
    if name.startswith("command:"):
        return (CommandWire(),)
    return (PlainWire(name, free=frozenset({"model"}) if is_address else frozenset()),)


def find_difference(wires: tuple[Wire, ...], body: str, request: ModelRequest) -> tuple[Wire, str | None]:
    """The wire in which a body asks this question, or the nearest one and what the body does otherwise.

    Bodies are compared as JSON values, field by field; a body with a field twice asks nothing certain. What is said of
    a difference names fields, never their contents.
    """
    nearest: tuple[Wire, tuple[str, ...]] | None = None
    for wire in wires:
        try:
            expected = wire.encode(request)
        except (VerilabelError, TypeError, ValueError, UnicodeEncodeError):
            continue  # this dialect cannot ask the question at all
        if body.encode("utf-8", "surrogatepass") == expected:
            return wire, None
        differing = _differing_fields(body, expected.decode("utf-8"), wire.free)
        if not differing:
            return wire, None
        if nearest is None or len(differing) < len(nearest[1]):
            nearest = wire, differing
    if nearest is None:
        return wires[0], "this system cannot be asked it"
    return nearest[0], f"it differs in {', '.join(nearest[1])}"


def json_difference(body: str, expected: str) -> str | None:
    """The fields in which a body differs from the expected one, by name; None where it differs in spelling alone."""
    return ", ".join(_differing_fields(body, expected, frozenset())) or None


def texts_of(body: str) -> Iterator[str]:
    """Every text value in a JSON body, at any depth; nothing where the body is not JSON."""
    try:
        stack = [_parse(body)]
    except MalformedInput:
        return
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)


def _differing_fields(body: str, expected: str, free: frozenset[str]) -> tuple[str, ...]:
    try:
        said = _parse(body)
    except MalformedInput as error:
        return (error.message,)
    wanted = _parse(expected)
    if not isinstance(said, dict):
        return ("its form, which is no object",)
    keys = sorted((set(said) | set(wanted)) - free)
    return tuple(
        repr(key[:60])
        for key in keys
        if key not in said or key not in wanted or _unlike(said[key], wanted[key])
    )


def _unlike(a: Any, b: Any) -> bool:
    try:
        return json.dumps(a, sort_keys=True) != json.dumps(b, sort_keys=True)  # 1 and true are equal to ==
    except RecursionError:
        return True


def _parse(body: str) -> Any:
    try:
        return json.loads(body, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise MalformedInput("its form, which is not JSON") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedInput("a field that stands twice")
    return result
