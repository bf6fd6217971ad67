"""Guards that are rules: packs, an operator's patterns and words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from verilabel.detectors.spans.ruleset import RuleSet
from verilabel.errors import MalformedInput
from verilabel.gateway.guards.catalogue import Resources, check_settings, open_guard
from verilabel.gateway.guards.interface import SpanGuard
from verilabel.gateway.policy.document import GuardEntry


def span_guard(use: str, settings: dict[str, Any] | None = None) -> SpanGuard:
    entry = GuardEntry(id="tested", use=use, settings=settings or {})
    check_settings(entry, "$.guards[0]")
    guard = open_guard(entry, Resources(folder=Path(), environ={}))
    assert isinstance(guard, SpanGuard)
    return guard


def redacted(guard: SpanGuard, text: str) -> str:
    return RuleSet(guard.rules).redact(text).text


def test_a_pack_redacts_what_its_rules_find() -> None:
    said = redacted(span_guard("pii"), "Write to jane.roe@example.com, not to the mayor.")
    assert "jane.roe" not in said
    assert said.startswith("Write to [") and said.endswith(", not to the mayor.")


def test_one_rule_of_a_pack_can_look_alone_or_be_left_out() -> None:
    text = "jane.roe@example.com 4111 1111 1111 1111"
    alone = redacted(span_guard("pii", {"only": ["email"]}), text)
    others = redacted(span_guard("pii", {"without": ["email"]}), text)
    assert "jane.roe" not in alone and "4111" in alone
    assert "jane.roe" in others and "4111" not in others


def test_an_operator_s_patterns_and_words_are_rules() -> None:
    pattern = {"id": "ticket", "pattern": "TK-[0-9]{6}", "label": "TICKET"}
    assert "see [TICKET]" == redacted(span_guard("patterns", {"patterns": [pattern]}), "see TK-123456")
    words = span_guard("words", {"words": ["Project Heron"], "label": "PROJECT", "reversible": True})
    assert "about [PROJECT]." == redacted(words, "about project heron.")
    assert words.is_reversible


def test_a_version_names_the_rules_and_whether_they_can_be_turned_back() -> None:
    versions = {
        span_guard("pii").version,
        span_guard("pii", {"only": ["email"]}).version,
        span_guard("pii", {"reversible": True}).version,
        span_guard("secrets").version,
    }
    assert 4 == len(versions)
    assert span_guard("pii").version == span_guard("pii").version


@pytest.mark.parametrize(
    ("use", "settings", "where", "said"),
    [
        ("pii", {"only": ["shoe-size"]}, "$.guards[0].settings", "has no rule 'shoe-size'"),
        ("pii", {"only": ["email"], "without": ["email"]}, "$.guards[0].settings", "not both"),
        ("pii", {"onyl": []}, "$.guards[0].settings", "unknown field `onyl`"),
        ("patterns", {}, "$.guards[0].settings", "no rules"),
        (
            "patterns",
            {"patterns": [{"id": "a", "pattern": "(a)\\1"}]},
            "$.guards[0].settings.patterns[0]",
            "",
        ),
        ("words", {"words": ["a"], "reversible": "yes"}, "$.guards[0].settings.reversible", "true or false"),
    ],
)
def test_a_mistake_in_the_rules_is_named_with_its_place(
    use: str, settings: dict[str, Any], where: str, said: str
) -> None:
    with pytest.raises(MalformedInput) as raised:
        span_guard(use, settings)
    assert raised.value.where is not None and raised.value.where.startswith(where)
    assert said in str(raised.value)
