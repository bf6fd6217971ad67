"""Guardrails AI's validators, NeMo Guardrails' rails and Presidio themselves, as guards of the gateway.

They are heavy and want versions of their own, so they are tested in an environment of their own, when asked:

    python3 -m venv .venv-guards
    .venv-guards/bin/pip install -e '.[eval]' pytest pytest-asyncio hypothesis presidio-analyzer nemoguardrails \
        guardrails-ai guardrails-ai-regex-match guardrails-ai-detect-pii guardrails-ai-secrets-present
    VERILABEL_LIVE_GUARDS=1 .venv-guards/bin/pytest tests/live/test_guard_adapters.py
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from verilabel.errors import UsageError
from verilabel.gateway.guards.adapting import AdapterGuard
from verilabel.gateway.guards.catalogue import Resources, open_guard
from verilabel.gateway.guards.interface import Conversation, GuardError, Judgement
from verilabel.gateway.policy.document import GuardEntry
from verilabel.gateway.verdicts import Direction

pytestmark = pytest.mark.skipif(
    os.environ.get("VERILABEL_LIVE_GUARDS") != "1", reason="set VERILABEL_LIVE_GUARDS=1 to run other guards"
)

ABOUT = Conversation(messages=(("user", "Tell me about the harbour."),))
RAILS = r"""
models: []
rails:
  input:
    flows: [regex check input]
  output:
    flows: [regex check output]
  config:
    regex_detection:
      input:
        patterns: ['\bharbour master\b']
      output:
        patterns: ['\blighthouse\b']
"""


@asynccontextmanager
async def running(folder: Path, use: str, settings: dict[str, Any]) -> AsyncIterator[AdapterGuard]:
    """A guard of a kind, open until the block ends."""
    entry = GuardEntry(id="live", use=use, settings=settings)
    guard = open_guard(
        entry, Resources(folder=folder, environ={"PATH": os.environ["PATH"], "HOME": str(folder)})
    )
    assert isinstance(guard, AdapterGuard)
    before = guard.version
    try:
        await guard.open()
        assert before != guard.version
        yield guard
    finally:
        await guard.close()


async def ask(guard: AdapterGuard, text: str, direction: Direction = "output") -> Judgement:
    return await guard.judge(text, "content", direction, ABOUT)


def validator(use: str, **more: Any) -> dict[str, Any]:
    return {"validators": [{"use": f"guardrails_ai.{use}", **more}]}


async def test_presidio_finds_personal_data_with_its_places_and_without_a_model(tmp_path: Path) -> None:
    async with running(tmp_path, "presidio", {}) as guard:
        text = "Write to jane.roe@example.com or pay with 4111 1111 1111 1111."
        judgement = await ask(guard, text)
        found = {label: text[start:end] for start, end, label in judgement.spans}
        assert "jane.roe@example.com" == found["EMAIL_ADDRESS"]
        assert "4111 1111 1111 1111" == found["CREDIT_CARD"]
        places = sorted(judgement.spans)
        assert all(end <= start for (_, end, _), (start, _, _) in pairwise(places))
        assert not (await ask(guard, "The tower is tall.")).found


async def test_presidio_looks_for_what_it_is_told_to(tmp_path: Path) -> None:
    async with running(tmp_path, "presidio", {"entities": ["CREDIT_CARD"]}) as guard:
        assert not (await ask(guard, "jane.roe@example.com")).found
    with pytest.raises(UsageError, match="no entity SHOE_SIZE"):
        async with running(tmp_path, "presidio", {"entities": ["SHOE_SIZE"]}):
            raise AssertionError("it opened")


async def test_a_guardrails_validator_that_finds_secrets_offers_its_fix(tmp_path: Path) -> None:
    settings = validator("secrets_present:SecretsPresent", fix=True, package="guardrails-ai-secrets-present")
    async with running(tmp_path, "guardrails", settings) as guard:
        judgement = await ask(guard, "aws_key = 'AKIAIOSFODNN7EXAMPLE'\n")
        assert judgement.found
        assert "aws_key = '********'\n" == judgement.replacement
        assert not (await ask(guard, "The tower is tall.\n")).found


async def test_a_guardrails_pattern_that_never_ends_is_ended_for_it(tmp_path: Path) -> None:
    settings = validator("regex_match:RegexMatch", settings={"regex": "(a|a?)+", "match_type": "fullmatch"})
    async with running(tmp_path, "guardrails", settings) as guard:
        assert not (await ask(guard, "aaaa")).found
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await ask(guard, "a" * 64 + "!")
        judgement = await ask(guard, "bbbb")
        assert judgement.found and judgement.replacement is None
        assert 1 == guard.restarts


async def test_a_guardrails_validator_that_needs_the_network_is_refused_at_once(tmp_path: Path) -> None:
    # detect-pii downloads a language model when it is made
    with pytest.raises(UsageError, match="guardrails refuses its settings"):
        async with running(tmp_path, "guardrails", validator("detect_pii:DetectPII")):
            raise AssertionError("it opened")


async def test_rails_of_nemo_guardrails_block_in_both_directions(tmp_path: Path) -> None:
    (tmp_path / "rails").mkdir()
    (tmp_path / "rails" / "config.yml").write_text(RAILS)
    async with running(tmp_path, "nemo", {"config": "rails"}) as guard:
        blocked = await ask(guard, "Who is the harbour master?", "input")
        assert (True, "blocked: regex check input") == (blocked.found, blocked.rule)
        assert not (await ask(guard, "Who is the mayor?", "input")).found
        assert "blocked: regex check output" == (await ask(guard, "Go to the lighthouse.")).rule
        assert not (await ask(guard, "The tower is tall.")).found


async def test_rails_that_want_a_model_on_the_network_are_an_error_and_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "rails").mkdir()
    (tmp_path / "rails" / "config.yml").write_text(
        "models:\n  - type: main\n    engine: openai\n    model: gpt-4o-mini\n"
        "rails:\n  input:\n    flows: [self check input]\n"
        "prompts:\n  - task: self_check_input\n    content: 'Is this allowed? {{ user_input }} Answer Yes or No.'\n"
    )
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "OPENAI_API_KEY": "sk-none"}
    entry = GuardEntry(id="live", use="nemo", settings={"config": "rails", "pass_env": ["OPENAI_API_KEY"]})
    guard = open_guard(entry, Resources(folder=tmp_path, environ=environ))
    assert isinstance(guard, AdapterGuard)
    await guard.open()
    try:
        with pytest.raises(GuardError):
            await ask(guard, "Who is the mayor?", "input")
    finally:
        await guard.close()
