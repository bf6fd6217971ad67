"""The bench's own policies: they pass their own tests, speak of the same tools, and can be mixed with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from verilabel.errors import UsageError
from verilabel.gateway.mcp.bench.choosing import OWN, load_own, load_policy
from verilabel.gateway.mcp.policy.reading import load_tool_policy
from verilabel.gateway.mcp.policy.trying import run_tool_tests

FILES = sorted(set(OWN.values()))


@pytest.mark.parametrize("name", FILES)
def test_a_policy_of_the_bench_passes_the_tests_that_it_carries(name: str) -> None:
    policy = load_own(name)
    assert policy.policy.tests
    assert [] == [(test.name, test.problems) for test in run_tool_tests(policy.policy) if test.problems]


@pytest.mark.parametrize("name", ["agentdojo-coarse", "agentdojo-provenance"])
def test_a_policy_of_the_bench_leaves_no_doubts(name: str) -> None:
    assert [] == [str(remark) for remark in load_own(name).remarks]


def test_both_agentdojo_policies_are_made_from_one_labelling() -> None:
    coarse, provenance = load_own("agentdojo-coarse").policy, load_own("agentdojo-provenance").policy
    assert coarse.tools == provenance.tools
    assert 74 == len(coarse.tools)


def test_every_tool_with_a_sink_has_a_provenance_rule_of_its_own() -> None:
    policy = load_own("agentdojo-provenance").policy
    sinks = {rule.match for rule in policy.tools if rule.sink is not None}
    assert sinks == {flow.to.match for flow in policy.flows}


def test_no_tool_that_returns_what_others_write_vouches() -> None:
    rules = load_own("agentdojo-provenance").policy.tools
    assert [] == [rule.match for rule in rules if rule.trusted_source and rule.emits]


def test_labels_of_one_policy_go_with_the_flows_of_another() -> None:
    mixed = load_policy("bundled:cautious", "agentdojo")
    own, cautious = load_own("agentdojo-provenance"), load_policy("bundled:cautious")
    assert (own.policy.tools, cautious.policy.flows) == (mixed.policy.tools, mixed.policy.flows)
    assert mixed.digest not in (own.digest, cautious.digest)
    assert mixed.policy == load_tool_policy(mixed.data, "again").policy


def test_a_policy_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(load_own("none").data)
    assert load_own("none").digest == load_policy(str(path)).digest


def test_a_policy_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError) as caught:
        load_policy("provenence")
    assert "provenance" in (caught.value.hint or "")
