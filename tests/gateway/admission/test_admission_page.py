"""The page about admission: its policy is one that is read, and its way of labelling a guarded system works."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from verilabel.evaluation.describing import describe_system, read_system_file
from verilabel.gateway.admission.labels import check_rows, matches
from verilabel.gateway.admission.scope import find_request_difference
from verilabel.gateway.policy.document import AdmissionRow, ModelRoute
from verilabel.models.simulated import SimulatedModel
from verilabel.records.canonical import digest, jcs
from verilabel.records.strict_yaml import load_strict_yaml

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "admission.md").read_text(encoding="utf-8")


def block(name: str) -> bytes:
    """A YAML block of the page by the name in its first line."""
    return PAGE.split(f"```yaml\n# {name}\n")[1].split("```")[0].encode()


def test_the_policy_of_the_page_asks_something_of_the_routes_of_the_page() -> None:
    rows = msgspec.convert(
        load_strict_yaml(block("policy.yaml"), where="page")["admit"], tuple[AdmissionRow, ...]
    )
    models = load_strict_yaml(block("gateway.yaml"), where="page")["models"]
    routes = msgspec.convert(models, tuple[ModelRoute, ...])
    check_rows(rows, routes)
    assert [True] == [matches(row.route, route.name) for row in rows for route in routes]


def test_a_system_that_is_labelled_as_the_page_says_is_in_scope_behind_that_policy(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "search"}}
    policy = b"policy: support\nversion: 1.0.0\n"
    (tmp_path / "policy.yaml").write_bytes(policy)
    (tmp_path / "search.json").write_bytes(jcs(tool))
    (tmp_path / "system.yaml").write_bytes(block("system.yaml"))
    choice = read_system_file(tmp_path / "system.yaml")
    system = describe_system(choice, SimulatedModel({"rate": "0.5", "seed": "1"}, answers={}))
    in_use = {
        "params": json.loads('{"temperature": 0.0, "max_tokens": 512}'),
        "system": "Answer questions about our products.",
        "tools": {"search": {"function": {"name": "search"}, "type": "function"}},
        "guardrails": digest(policy),
    }
    for key in ("params", "system_prompt", "tools", "guardrails"):
        assert find_request_difference(key, system, in_use) is None, key
    changed = in_use | {"guardrails": digest(policy + b"\n")}
    assert find_request_difference("guardrails", system, changed) is not None
