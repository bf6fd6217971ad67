"""/v1/completions."""

from __future__ import annotations

from typing import Any

from verilabel.errors import UsageError
from verilabel.gateway.verdicts import Refusal
from verilabel.gateway.wire.checks import (
    CHOICES_LIMIT,
    check_count,
    check_shared,
    check_text,
    check_texts_alone,
    first_fault,
    refuse,
)
from verilabel.gateway.wire.interface import Slot
from verilabel.gateway.wire.openai_dialect import NOT_TEXT_OF_REQUEST, OpenAIDialect, describe_request
from verilabel.gateway.wire.parameters import most_tokens, positive
from verilabel.gateway.wire.texts import TextWalk

_NOT_TEXT = NOT_TEXT_OF_REQUEST - {"audio", "modalities"} | {"echo", "best_of", "logprobs"}


class CompletionsDialect(OpenAIDialect):
    """OpenAI's legacy completions. Prompts of token ids are refused: no guard can read them."""

    name = "completions"
    path = "/v1/completions"
    provider_path = "/completions"

    def check(self, body: dict[str, Any]) -> Refusal | None:
        """What keeps a decoded request from being one, with the place."""
        return refuse(
            first_fault(
                (
                    check_shared(body),
                    check_texts_alone(body.get("prompt"), "$.prompt"),
                    check_text(body.get("suffix"), "$.suffix"),
                    check_count(body, "n", CHOICES_LIMIT),
                    check_count(body, "best_of", CHOICES_LIMIT),
                    check_count(body, "max_tokens"),
                )
            )
        )

    def input_slots(self, body: dict[str, Any]) -> list[Slot]:
        """The prompts, the suffix, and texts in members that nobody knows."""
        walk = TextWalk("user")
        walk.see_members(body, "content", but=_NOT_TEXT)
        return walk.slots

    def output_limit(self, body: dict[str, Any]) -> int | None:
        """The most output tokens the request allows, times the choices of all prompts."""
        prompts = len(body["prompt"]) if isinstance(body.get("prompt"), list) else 1
        choices = max(positive(body.get("n")), positive(body.get("best_of")))
        return most_tokens(body, ("max_tokens",), choices * max(prompts, 1))

    def describe(self, body: dict[str, Any]) -> dict[str, Any]:
        """What conditions may ask of a request."""
        return describe_request(body, media=0, tools=None, turns=1, system="")

    def set_system_prompt(self, body: dict[str, Any], text: str) -> None:
        """Put the text before each prompt, in place. Raises UsageError where there is no prompt of text."""
        prompt = body.get("prompt")
        if isinstance(prompt, str):
            body["prompt"] = f"{text}\n\n{prompt}"
        elif isinstance(prompt, list) and all(isinstance(item, str) for item in prompt):
            body["prompt"] = [f"{text}\n\n{item}" for item in prompt]
        else:
            raise UsageError(
                "a system prompt cannot be put before a prompt that is no text", where="$.prompt"
            )
