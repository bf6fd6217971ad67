"""What a request makes of a target, in the words of a label's scope; what cannot be told counts as another system."""

from __future__ import annotations

from typing import Any

from verilabel.gateway.pipeline.exchange import Exchange
from verilabel.gateway.pipeline.snapshot import RouteTarget
from verilabel.gateway.wire.parameters import names_of_tools

POLICY_GUARDRAIL = "verilabel-policy"
"""The name under which a system descriptor's `guardrails` holds the digest of the policy it was measured behind."""
LIMIT_SPELLINGS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""One limit under the names of three APIs; servers differ about which of two counts."""
_OTHERWISE_COMPARED = frozenset(
    {"model", "messages", "system", "input", "prompt", "instructions", "tools", "functions", "suffix"}
)
_WITHOUT_EFFECT = frozenset(
    {
        "n",
        "stream",
        "stream_options",
        "user",
        "metadata",
        "store",
        "background",
        "safety_identifier",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "logprobs",
        "top_logprobs",
        "include",
        "encoding_format",
        "tool_choice",
        "function_call",
        "parallel_tool_calls",
        "max_tool_calls",
        "cache_control",
        "diagnostics",
        "inference_geo",
    }
)
"""Members that leave each answer what it would be, or choose among the tools, which are compared."""
_TOOLS_BY_NAME = ("mcp_servers", "web_search_options")
"""Members that offer tools without being among `tools`."""
_KEPT_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
"""Members by which a provider adds a system prompt, tools or turns that it has kept."""
_ROLES = {
    "messages": frozenset({"user", "assistant"}),
    "responses": frozenset({"user", "assistant", "system", "developer"}),
}
_ROLES_OF_CHAT = frozenset({"user", "assistant", "tool", "function", "system", "developer"})


def in_use(exchange: Exchange, target: RouteTarget) -> dict[str, Any]:
    """What this request makes of the target: sampling parameters, system prompt, tools, guards.

    `unseen` names members that bring in what is not seen here.
    """
    described = exchange.describe()
    body = exchange.body
    system = described.get("system", "")
    if target.system_prompt:
        system = f"{target.system_prompt}\n\n{system}" if system else target.system_prompt
    return {
        "params": _parameters(body, described.get("params", {}), target),
        "system": system,
        "tools": tool_definitions(body),
        "unseen": _unseen(body, exchange.dialect.name),
        "guardrails": {POLICY_GUARDRAIL: exchange.plan.digest},
        "provider_model": target.model or body["model"],
        "base_url": target.upstream.written.base_url,
    }


def tool_definitions(body: dict[str, Any]) -> dict[str, Any]:
    """The definitions that a request offers, by name, each as its whole entry; several of one name as their list."""
    found: dict[str, list[Any]] = {}
    for member in ("tools", "functions"):
        offered = body.get(member)
        for tool in offered if isinstance(offered, list) else ():
            name = next(iter(names_of_tools([tool])), "")
            found.setdefault(name, []).append(tool)
    definitions = {name: entries[0] if len(entries) == 1 else entries for name, entries in found.items()}
    for member in _TOOLS_BY_NAME:
        if body.get(member):
            definitions[f"${member}"] = body[member]
    return definitions


def _parameters(body: dict[str, Any], described: dict[str, Any], target: RouteTarget) -> dict[str, Any]:
    """All that changes an answer and is compared nowhere else, also what no list of parameters knows."""
    params = dict(described)
    for name, value in body.items():
        if value is None or name in _OTHERWISE_COMPARED or name in _WITHOUT_EFFECT or name in _TOOLS_BY_NAME:
            continue
        if name in LIMIT_SPELLINGS:
            if value != params.get("max_tokens"):
                params[name] = value
        elif name not in params and not _is_described(name, value):
            params[name] = value
    set_here = dict(target.params)
    if any(name in set_here for name in LIMIT_SPELLINGS):
        for name in LIMIT_SPELLINGS:
            params.pop(name, None)
        given = [set_here.pop(name) for name in LIMIT_SPELLINGS if name in set_here]
        params["max_tokens"] = given[0] if len(set(map(str, given))) == 1 else " and ".join(map(str, given))
    return {**params, **set_here}


def _is_described(name: str, value: Any) -> bool:
    """True if a member says nothing but what is described already, or what holds without it."""
    if name == "reasoning":
        return isinstance(value, dict) and set(value) <= {"effort"}
    if name in ("text", "response_format"):
        form = value.get("format", {"type": "text"}) if name == "text" and isinstance(value, dict) else value
        return form == {"type": "text"} and (name != "text" or set(value) <= {"format"})
    return name in _KEPT_ELSEWHERE


def _unseen(body: dict[str, Any], dialect: str) -> tuple[str, ...]:
    names = [name for name in _KEPT_ELSEWHERE[:2] if body.get(name)]
    if isinstance(body.get("prompt"), dict):
        names.append("prompt")
    turns = body.get("input" if dialect == "responses" else "messages")
    known = _ROLES.get(dialect, _ROLES_OF_CHAT)
    if isinstance(turns, list) and any(
        isinstance(turn, dict) and "role" in turn and turn["role"] not in known for turn in turns
    ):
        names.append("another role")
    return tuple(names)
