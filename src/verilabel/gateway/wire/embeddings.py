"""/v1/embeddings."""

from __future__ import annotations

from typing import Any

from verilabel.errors import UsageError
from verilabel.gateway.verdicts import Refusal
from verilabel.gateway.wire.checks import check_shared, check_texts_alone, first_fault, refuse
from verilabel.gateway.wire.interface import Slot
from verilabel.gateway.wire.openai_dialect import NOT_TEXT_OF_REQUEST, OpenAIDialect, describe_request
from verilabel.gateway.wire.texts import TextWalk


class EmbeddingsDialect(OpenAIDialect):
    """OpenAI's embeddings: texts go in, numbers come out, and nothing is streamed."""

    name = "embeddings"
    path = "/v1/embeddings"
    provider_path = "/embeddings"

    def check(self, body: dict[str, Any]) -> Refusal | None:
        """What keeps a decoded request from being one, with the place."""
        fault = first_fault((check_shared(body), check_texts_alone(body.get("input"), "$.input")))
        if fault is None and body.get("stream") is True:
            fault = "$.stream", "embeddings are not streamed"
        return refuse(fault)

    def input_slots(self, body: dict[str, Any]) -> list[Slot]:
        """The texts to embed, and texts in members that nobody knows."""
        walk = TextWalk("user")
        walk.see_members(body, "content", but=NOT_TEXT_OF_REQUEST)
        return walk.slots

    def output_slots(self, reply: dict[str, Any]) -> list[Slot]:
        """None in `data`, whose strings are numbers in base64."""
        walk = TextWalk()
        walk.see_members(reply, "content", but=frozenset({"data", "usage"}))
        return walk.slots

    def output_limit(self, body: dict[str, Any]) -> int | None:
        """Zero: there is no output of tokens."""
        del body
        return 0

    def describe(self, body: dict[str, Any]) -> dict[str, Any]:
        """What conditions may ask of a request."""
        return describe_request(body, media=0, tools=None, turns=1, system="")

    def set_system_prompt(self, body: dict[str, Any], text: str) -> None:
        """Raises UsageError: an embedding has no system prompt."""
        del body, text
        raise UsageError("embeddings have no system prompt", where="$.input")
