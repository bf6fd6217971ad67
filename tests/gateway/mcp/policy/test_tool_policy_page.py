"""The page about tool policies: its example is one, passes its own tests, and its tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from verilabel.gateway.mcp.policy.arguments import MAX_PATTERN
from verilabel.gateway.mcp.policy.bundled import tool_policy_names
from verilabel.gateway.mcp.policy.document import ArgumentRule, ArgumentType, Sink
from verilabel.gateway.mcp.policy.reading import load_tool_policy
from verilabel.gateway.mcp.policy.trying import run_tool_tests

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "tool-policy.md").read_text("utf-8")


def test_the_policy_on_the_page_has_no_doubts_and_passes_its_tests() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    read = load_tool_policy(example.encode(), "tool-policy.md")
    assert () == read.remarks
    assert [] == [(each.name, each.problems) for each in run_tool_tests(read.policy) if not each.passed]


def test_the_page_names_every_word_for_arguments_every_type_and_every_sink() -> None:
    words = re.findall(r"`([a-z_]+)`", PAGE)
    assert set(ArgumentRule.__struct_fields__) <= set(words)
    assert set(get_args(ArgumentType)) <= set(words)
    assert set(get_args(Sink)) <= set(words)
    assert set(tool_policy_names()) <= set(words)
    assert f"at most {MAX_PATTERN:,} characters" in PAGE
