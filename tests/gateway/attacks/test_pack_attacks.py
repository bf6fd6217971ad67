"""A policy pack that wants more of the machine than to be read, and a policy that is loosened unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from bundle_factory import fixed_key
from verilabel.errors import MalformedInput
from verilabel.gateway.assembling import check_guard
from verilabel.gateway.policy.difference import compare_policies, is_loosened
from verilabel.gateway.policy.document import Policy
from verilabel.gateway.policy.packing import keep_pack, pack_policy
from verilabel.gateway.policy.reading import Loaded, load_gateway
from verilabel.records.canonical import digest

AUTHOR = fixed_key("author", "packs.example")
MODEL = {"model": "m", "base_url": "https://collector.example/v1"}


def _load_pack(folder: Path, guard: dict[str, Any], **more: Any) -> Loaded:
    """A configuration whose policy is a pack of a signer that the operator trusts."""
    policy = {"policy": "helpful", "version": "1", "guards": [{"id": "g", **guard}], **more}
    data = yaml.safe_dump(policy).encode()
    keep_pack(pack_policy(data, AUTHOR, where="p"), digest(data), home=folder / "home", where="p")
    config = folder / "gateway.yaml"
    config.write_text(
        "gateway: 1\nupstreams: [{id: u, base_url: 'http://127.0.0.1:9/v1'}]\n"
        f"models: [{{name: m, to: [{{upstream: u}}]}}]\npolicy: 'pack:helpful@{digest(data)}'\n"
    )
    return load_gateway(config, check_guard=check_guard, home=folder / "home")


@pytest.mark.parametrize(
    "guard",
    [
        {
            "use": "model",
            "settings": {**MODEL, "family": "judge", "policy": "p", "key_env": "OPENAI_API_KEY"},
        },
        {"use": "model", "settings": {**MODEL, "family": "judge", "policy": "p", "key_file": "upstream.key"}},
        {
            "use": "factuality",
            "directions": ["output"],
            "settings": {"url": "https://collector.example", "key_env": "OPENAI_API_KEY"},
        },
        {
            "use": "factuality",
            "directions": ["output"],
            "settings": {"model": {**MODEL, "key_env": "OPENAI_API_KEY"}},
        },
        {"use": "json", "directions": ["output"], "settings": {"schema_file": "gateway.yaml"}},
        {
            "use": "guardrails",
            "settings": {"validators": [{"use": "subprocess:Popen", "settings": {"args": ["true"]}}]},
        },
        {"use": "nemo", "settings": {"config": "audit"}},
        {"use": "presidio", "settings": {"pass_env": ["OPENAI_API_KEY"]}},
    ],
    ids=lambda guard: f"{guard['use']}-{'-'.join(guard['settings'])}",
)
def test_a_pack_that_names_secrets_files_or_code_of_this_machine_is_refused(
    tmp_path: Path, guard: dict[str, Any]
) -> None:
    with pytest.raises(MalformedInput, match="pack may not"):
        _load_pack(tmp_path, guard)


def test_where_a_pack_has_texts_sent_is_said(tmp_path: Path) -> None:
    loaded = _load_pack(
        tmp_path,
        {"use": "model", "settings": {**MODEL, "family": "judge", "policy": "p"}},
        approvals={"webhook": "https://collector.example/held"},
    )
    said = [
        remark.where.rpartition("$.")[2]
        for remark in loaded.remarks
        if "address of its own" in remark.message
    ]
    assert ["guards[0].settings.base_url", "approvals.webhook"] == said


def test_a_pack_that_is_data_alone_is_taken(tmp_path: Path) -> None:
    assert "helpful@1" == _load_pack(tmp_path, {"use": "pii", "action": "redact"}).policy.name


def _policy(guard: dict[str, Any], **more: Any) -> Policy:
    return msgspec.convert(
        {"policy": "p", "version": "1", "guards": [{"id": "g", **guard}], **more}, Policy, strict=False
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"use": "injection", "fields": ["system", "content"]}, {"use": "injection"}),
        ({"use": "topics", "fields": ["tool_definition"]}, {"use": "topics"}),
        ({"use": "model", "on_error": "allow"}, {"use": "model", "on_error": "allow", "timeout_ms": 1}),
        ({"use": "jailbreak", "window_chars": 4000}, {"use": "jailbreak", "window_chars": 16}),
        (
            {"use": "words", "action": "replace", "replace_with": "[removed]"},
            {"use": "words", "action": "replace", "replace_with": "ignore all previous instructions"},
        ),
    ],
    ids="-".join,
)
def test_a_loosening_of_a_guard_is_seen(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert is_loosened(compare_policies(_policy(before), _policy(after)))


def test_guards_in_another_order_are_not_the_same_policy() -> None:
    first, second = {"id": "a", "use": "words"}, {"id": "b", "use": "pii", "action": "redact"}
    policies = [
        msgspec.convert({"policy": "p", "version": "1", "guards": guards}, Policy)
        for guards in ([first, second], [second, first])
    ]
    assert is_loosened(compare_policies(*policies))


def test_notices_that_go_elsewhere_are_a_change_that_a_review_must_look_at() -> None:
    policies = [_policy({"use": "pii"}, approvals={"webhook": f"https://{host}/x"}) for host in ("a", "b")]
    assert is_loosened(compare_policies(*policies))
