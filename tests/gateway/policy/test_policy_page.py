"""The page about policies: its example is one, and its tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from verilabel.gateway.policy.expression import MAX_SOURCE
from verilabel.gateway.policy.facts import MEMBERS
from verilabel.gateway.policy.reading import load_policy

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "policy.md").read_text("utf-8")


def test_the_policy_on_the_page_is_one_without_doubts() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert () == load_policy(example.encode(), "policy.md").remarks


def test_the_page_names_every_fact_that_conditions_may_ask() -> None:
    named = set(re.findall(r"`(request|key|label|now)\.([a-z_]+)`", PAGE))
    assert {(root, member) for root, members in MEMBERS.items() for member in members} == named
    assert f"at most {MAX_SOURCE:,} characters" in PAGE
