"""The APIs that the gateway speaks to clients, by path."""

from __future__ import annotations

from verilabel.gateway.wire.chat import ChatDialect
from verilabel.gateway.wire.completions import CompletionsDialect
from verilabel.gateway.wire.embeddings import EmbeddingsDialect
from verilabel.gateway.wire.interface import ClientDialect
from verilabel.gateway.wire.messages import MessagesDialect
from verilabel.gateway.wire.responses import ResponsesDialect

_ALL: tuple[ClientDialect, ...] = (
    ChatDialect(),
    ResponsesDialect(),
    CompletionsDialect(),
    EmbeddingsDialect(),
    MessagesDialect(),
)

DIALECTS: dict[str, ClientDialect] = {dialect.path: dialect for dialect in _ALL}
"""Path, without a query, to dialect."""
