"""A tool-calling model around an opened model, and the codecs by which a recorded one may have been asked."""

from __future__ import annotations

from typing import Protocol, TypeGuard, runtime_checkable

from verilabel.errors import UsageError
from verilabel.models.address import PROVIDERS
from verilabel.models.dialects.anthropic import ANTHROPIC
from verilabel.models.dialects.dialect import Decoded, Dialect
from verilabel.models.dialects.google import GOOGLE
from verilabel.models.dialects.openai_chat import OPENAI_CHAT, OPENAI_CHAT_OFFICIAL
from verilabel.models.dialects.openai_responses import OPENAI_RESPONSES
from verilabel.models.http import HttpModel
from verilabel.models.interface import Model
from verilabel.models.tools.anthropic import ANTHROPIC_TOOLS
from verilabel.models.tools.codec import ToolCodec
from verilabel.models.tools.google import GOOGLE_TOOLS
from verilabel.models.tools.interface import Answered, ToolAnswer, ToolModel, ToolQuestion
from verilabel.models.tools.openai_chat import OPENAI_CHAT_OFFICIAL_TOOLS, OPENAI_CHAT_TOOLS
from verilabel.models.tools.openai_responses import OPENAI_RESPONSES_TOOLS
from verilabel.models.tools.plain import PLAIN_TOOLS
from verilabel.records.attempt import Failure

_CODECS: tuple[tuple[Dialect, ToolCodec], ...] = (
    (OPENAI_CHAT, OPENAI_CHAT_TOOLS),
    (OPENAI_CHAT_OFFICIAL, OPENAI_CHAT_OFFICIAL_TOOLS),
    (OPENAI_RESPONSES, OPENAI_RESPONSES_TOOLS),
    (ANTHROPIC, ANTHROPIC_TOOLS),
    (GOOGLE, GOOGLE_TOOLS),
)


@runtime_checkable
class _Conversing(Protocol):
    """A model that knows by itself how to be shown tools."""

    async def converse(self, question: ToolQuestion) -> ToolAnswer: ...


def _converses(model: object) -> TypeGuard[ToolModel]:
    return isinstance(model, _Conversing)


def open_tool_model(model: Model) -> ToolModel:
    """The tool-calling side of a model that is opened and closed by the caller.

    HTTP models share the model's session, key and limits; a model with a `converse` of its own is taken as it is.
    Raises UsageError for one that cannot be shown tools.
    """
    if _converses(model):
        return model
    if isinstance(model, HttpModel):
        return HttpToolModel(model)
    raise UsageError(
        "this model cannot call tools, which the suite's tasks need",
        where=model.address,
        hint="models behind HTTP can, and scripted:oracle, scripted:random, scripted:null, scripted:refusing",
    )


class HttpToolModel:
    """A model behind HTTP, asked with tools in its own dialect."""

    def __init__(self, model: HttpModel) -> None:
        self._model = model
        self._codec = codec_of(model.dialect)

    async def converse(self, question: ToolQuestion) -> ToolAnswer:
        """Ask once. Raises UsageError for a parameter the dialect cannot send."""
        read: list[Answered] = []

        def decode(body: bytes) -> Decoded | Failure:
            said = self._codec.decode(body)
            if isinstance(said, Failure):
                return said
            read.append(said.turn)
            return said.decoded

        exchange = await self._model.send(self._codec.encode(question, self._model.name), decode)
        return ToolAnswer(exchange, None if exchange.failure is not None else read[0])


def codec_of(dialect: Dialect) -> ToolCodec:
    """The tool codec of a dialect."""
    return next(codec for known, codec in _CODECS if known is dialect)


def codecs_of(provider_model: str) -> tuple[tuple[ToolCodec, str], ...]:
    """The codecs by which a model may have been asked, and its name in them, by a descriptor's `provider_model`.

    A provider with several dialects has several; a model without a wire of its own has the plain one.
    """
    scheme, sign, rest = provider_model.partition("/")
    dialects = [p.dialect for key, p in PROVIDERS.items() if sign and scheme in (key, p.name)]
    if OPENAI_CHAT_OFFICIAL in dialects:
        dialects.append(OPENAI_CHAT)
    if dialects:
        return tuple((codec_of(dialect), rest) for dialect in dialects)
    return ((PLAIN_TOOLS, provider_model),)
