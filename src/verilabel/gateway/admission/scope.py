"""Does what a request uses equal what a label was made for? Key by key, exactly, without repeating any content.

What is compared for each key of `AdmissionRow.scope`:

- `params`: the label's sampling parameters and the request's are the same names with the same values. Numbers are
  compared as decimals (`"0.70"` equals `0.7`); a parameter on one side alone is a difference.
- `system_prompt`: SHA-256 of the UTF-8 bytes of the system prompt in use; none and the empty one are the same.
- `tools`: the same names, each with SHA-256 of the definition's canonical bytes (RFC 8785).
- `guardrails`: the label names exactly one guardrail, `verilabel-policy`, with the digest of the gateway's policy (in
  use is that digest, or a mapping of names to digests).
- `provider_model`, `base_url`: what the target asks, at which address (without a slash at the end). With
  `provider_model` a model that the provider says it served must be one that answered when the label was made.
- `fingerprint`: a system fingerprint that the provider says must be one of those of the label's answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from verilabel.errors import MalformedInput
from verilabel.records.canonical import DIGEST_PREFIX, digest, jcs
from verilabel.records.system import SystemDescriptor

GUARDRAIL = "verilabel-policy"
"""Under this name a descriptor has the digest of the gateway's policy."""
REQUEST_KEYS = ("params", "system_prompt", "tools", "guardrails")
TARGET_KEYS = ("provider_model", "base_url")
SERVED_KEYS = ("provider_model", "fingerprint")
SCOPE_KEYS = (*REQUEST_KEYS, *TARGET_KEYS, "fingerprint")
MAX_TOOL_DIGESTS = 1024
MAX_NUMBER = 40
"""Characters of a text that can be a decimal."""


def find_request_difference(key: str, system: SystemDescriptor, in_use: Mapping[str, Any]) -> str | None:
    """In what way a request leaves the label's scope under one of `REQUEST_KEYS`, in words, or None.

    `provider_model` is asked of a request only where the target leaves the model to it.
    """
    if key in ("system_prompt", "tools") and (unseen := in_use.get("unseen")):
        return f"{key}: {unseen[0]} brings in what is not seen here"
    match key:
        case "params":
            return _find_in_params(system.params, in_use.get("params") or {})
        case "system_prompt":
            return _find_in_prompt(system.system_prompt, in_use.get("system") or "")
        case "tools":
            return _find_in_tools(system.tools, in_use.get("tools") or {})
        case "provider_model":
            return find_target_difference(key, system, model=in_use.get("provider_model"), base_url="")
        case _:
            return _find_in_guardrails(system.guardrails, in_use.get("guardrails"))


def find_target_difference(
    key: str, system: SystemDescriptor, *, model: str | None, base_url: str
) -> str | None:
    """In what way a target differs from the label's system under one of `TARGET_KEYS`, or None.

    A `model` of None is one that every request names itself: it cannot be held against a label.
    """
    if key == "provider_model":
        if model is None:
            return "provider_model: the target names no model of its own"
        return (
            None
            if model == system.provider_model
            else f"provider_model: the label is for {system.provider_model}"
        )
    if base_url.rstrip("/") == (system.base_url or "").rstrip("/"):
        return None
    return f"base_url: the label is for {system.base_url or 'no address'}"


def find_served_difference(
    key: str, served: frozenset[tuple[str, str]], model: str | None, fingerprint: str | None
) -> str | None:
    """What the provider says it served that no answer of the label was by, or None where it or the label says none."""
    place, said = (0, model) if key == "provider_model" else (1, fingerprint)
    known = {pair[place] for pair in served} - {""}
    if said is None or not known or said in known:
        return None
    what = "served_model" if place == 0 else "fingerprint"
    return f"{what}: the provider served another than the label's {', '.join(sorted(known)[:3])}"


def comparable(value: Any) -> Any:
    """A parameter's value for comparing: numbers and texts that are numbers as decimals, all else as it is."""
    if isinstance(value, bool) or value is None:
        return ("word", value)
    if isinstance(value, float):
        value = repr(value)
    if isinstance(value, int) and value.bit_length() > 128:
        return ("large", value)
    if isinstance(value, int | Decimal) or (isinstance(value, str) and _can_be_number(value)):
        with suppress(InvalidOperation):
            number = Decimal(value)
            return ("number", number) if number.is_finite() else ("text", str(value))
    return ("text", value)


def _is_same(label: Any, used: Any) -> bool:
    return bool((type(label) is type(used) and label == used) or comparable(label) == comparable(used))


def _can_be_number(text: str) -> bool:
    return len(text) <= MAX_NUMBER and not set(text) - set("0123456789.+-eE")


def _find_in_params(label: Mapping[str, Any], request: Mapping[str, Any]) -> str | None:
    words = [
        f"{name} (the label's is {label[name]}, the request has none)"
        for name in label
        if name not in request
    ]
    words += [
        f"{name} (the label's is {label[name]})"
        for name in label
        if name in request and not _is_same(label[name], request[name])
    ]
    more = sorted(name for name in request if name not in label)
    words += [f"{_shown(name)} (the label has none)" for name in more[:8]]
    return f"params: {', '.join(words)}" if words else None


def _shown(name: str) -> str:
    """A parameter's name, where it can be one: a client's own text is not repeated."""
    is_plain = len(name) <= 40 and name.isascii() and name.replace("_", "").replace(".", "").isalnum()
    return name if is_plain else "another parameter"


def _find_in_prompt(label: str | None, text: str) -> str | None:
    used = digest(text.encode("utf-8", "surrogatepass")) if text else None
    if label == _EMPTY:
        label = None
    if used == label:
        return None
    if label is None:
        return "system_prompt: the label was made without one"
    if used is None:
        return "system_prompt: the label was made with one, the request has none"
    return "system_prompt: another than the label's"


_EMPTY = digest(b"")


def _find_in_tools(label: Mapping[str, str], tools: Mapping[str, Any]) -> str | None:
    if not label and not tools:
        return None
    missing = [name for name in label if name not in tools]
    words = [f"{name} (not offered)" for name in missing]
    words += [
        f"{name} (another definition)"
        for name in label
        if name in tools and digest_tool(tools[name]) != label[name]
    ]
    if more := sum(1 for name in tools if name not in label):
        words.append(f"{more} that the label was made without")
    return f"tools: {', '.join(words)}" if words else None


def _find_in_guardrails(label: Mapping[str, str], used: str | Mapping[str, str] | None) -> str | None:
    if isinstance(used, str):
        used = {GUARDRAIL: used}
    if dict(label) == dict(used or {}):
        return None
    if others := sorted(set(label) - {GUARDRAIL}):
        return f"guardrails: the label was made with {', '.join(others[:3])}, which is not this gateway's"
    if GUARDRAIL not in label:
        return "guardrails: the label was made without this gateway's policy"
    return f"guardrails: the label was made under the policy {label[GUARDRAIL][:19]}"


_tool_digests: dict[bytes, str | None] = {}


def digest_tool(definition: Any) -> str | None:
    """SHA-256 of a tool definition's canonical bytes (RFC 8785); None where it has none (fractions, depth).

    Canonical bytes are slow to make, so the last definitions are remembered by a digest of their plain JSON.
    """
    try:
        key = hashlib.sha256(msgspec.json.encode(definition, order="sorted")).digest()
    except (TypeError, ValueError, RecursionError):
        return None
    if key not in _tool_digests:
        if len(_tool_digests) >= MAX_TOOL_DIGESTS:
            _tool_digests.clear()
        try:
            _tool_digests[key] = DIGEST_PREFIX + hashlib.sha256(jcs(definition)).hexdigest()
        except (MalformedInput, RecursionError):
            _tool_digests[key] = None
    return _tool_digests[key]
