"""Tool calls of models that have no wire of their own: scripted agents, asked and answering within this program."""

from __future__ import annotations

import msgspec

from verilabel.models.dialects.dialect import DECODE_ERRORS, Decoded, malformed
from verilabel.models.tools.codec import DecodedTurn, ToolCodec, make_turn
from verilabel.models.tools.interface import Answered, ToolQuestion, Turn
from verilabel.records.attempt import Failure
from verilabel.records.episode import ToolSpec, ToolUse
from verilabel.records.system import Scalar


class PlainToolRequest(msgspec.Struct, frozen=True):
    """The request body."""

    model: str
    turns: tuple[Turn, ...]
    tools: tuple[ToolSpec, ...]
    params: dict[str, Scalar]


class PlainToolResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The response body."""

    text: str
    calls: tuple[ToolUse, ...] = ()
    model: str | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(PlainToolResponse)


def encode(question: ToolQuestion, name: str) -> bytes:
    """The request body."""
    params = dict(sorted(question.params.items()))
    return _encoder.encode(PlainToolRequest(name, question.turns, question.tools, params))


def encode_turn(turn: Answered, model: str) -> bytes:
    """The response body that says a turn."""
    return _encoder.encode(PlainToolResponse(turn.text, turn.calls, model))


def decode(body: bytes) -> DecodedTurn | Failure:
    """Read the turn; never raises."""
    try:
        said = _decoder.decode(body)
    except DECODE_ERRORS as error:
        return malformed(error)
    decoded = Decoded(said.text, "tool_calls" if said.calls else "stop", said.model)
    return make_turn(decoded, said.calls)


PLAIN_TOOLS = ToolCodec(name="plain", encode=encode, decode=decode)
