"""Which policy is tried: one made for AgentDojo's tools, one that comes with the program, a file, or none at all."""

from __future__ import annotations

from pathlib import Path

import msgspec

from verilabel.errors import UsageError
from verilabel.gateway.mcp.bench.replaying import Rules
from verilabel.gateway.mcp.policy.bundled import tool_policy_bytes
from verilabel.gateway.mcp.policy.filtering import compile_results
from verilabel.gateway.mcp.policy.reading import ToolPolicyFile, load_tool_policy
from verilabel.gateway.policy.bundled import BUNDLED_PREFIX

_FOLDER = Path(__file__).parent / "data"
OWN = {
    "none": "none",
    "cautious": "agentdojo-coarse",
    "coarse": "agentdojo-coarse",
    "provenance": "agentdojo-provenance",
    "agentdojo-coarse": "agentdojo-coarse",
    "agentdojo-provenance": "agentdojo-provenance",
}
"""What `--policy` may be, and the file of the bench that it names."""
AGENTDOJO_LABELS = "agentdojo"


def load_policy(name: str, labels: str | None = None) -> ToolPolicyFile:
    """A policy by name, as `bundled:NAME`, or by path. With `labels` its tool rules are those of another policy.

    Labels are `agentdojo` or the path of a tool policy: whose rules for tools, with their labels, sinks and trusted
    sources, take the place of the policy's own, while its flows stay. The whole has bytes and a digest of its own.
    Raises UsageError where there is none, and as `load_tool_policy`.
    """
    policy = _load(name)
    if labels is None:
        return policy
    other = load_own("agentdojo-provenance") if labels == AGENTDOJO_LABELS else _load_file(labels, "--labels")
    mixed = msgspec.structs.replace(
        policy.policy,
        policy=f"{policy.policy.policy}+{other.policy.policy}",
        labels=tuple(dict.fromkeys((*policy.policy.labels, *other.policy.labels))),
        tools=other.policy.tools,
        tests=(),
    )
    data = msgspec.json.format(
        msgspec.json.Encoder(decimal_format="number", order="deterministic").encode(mixed), indent=1
    )
    return load_tool_policy(data, f"{name} with the labels of {labels}")


def load_own(name: str) -> ToolPolicyFile:
    """One of the bench's own policies."""
    return load_tool_policy((_FOLDER / f"{OWN[name]}.yaml").read_bytes(), f"{OWN[name]}.yaml")


def make_ready(policy: ToolPolicyFile) -> Rules:
    """The policy compiled. Raises MissingExtra without google-re2, where it needs it."""
    return Rules(policy.compile(), compile_results(policy.policy.results))


def _load(name: str) -> ToolPolicyFile:
    if name in OWN:
        return load_own(name)
    if name.startswith(BUNDLED_PREFIX):
        return load_tool_policy(tool_policy_bytes(name.removeprefix(BUNDLED_PREFIX), where="--policy"), name)
    return _load_file(name, "--policy")


def _load_file(name: str, option: str) -> ToolPolicyFile:
    path = Path(name)
    if not path.is_file():
        raise UsageError(
            f"no policy {name!r}", where=option, hint=f"{', '.join(OWN)}, {BUNDLED_PREFIX}NAME or a file"
        )
    return load_tool_policy(path)
