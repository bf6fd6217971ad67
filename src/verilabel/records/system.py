"""The system under test: a descriptor with every key that a label may bind to; its digest is the label's subject."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from verilabel.errors import MalformedInput
from verilabel.records.canonical import digest, jcs

Identity = Literal["weights", "provider_asserted", "fingerprinted", "recorded", "simulated"]
Scalar = str | int | bool
BIND_KEYS = (
    "weights",
    "provider_model",
    "params",
    "system_prompt",
    "tools",
    "guardrails",
    "use_case",
    "locale",
    "modality",
)


class SystemDescriptor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What exactly was tested. Decimals (temperature) are strings; large texts are bound by digest.

    `identity` says how the model's identity is known: from its weights' digest, asserted by the provider,
    observed by fingerprint, recorded answers replayed, or simulated.
    """

    name: str
    provider_model: str
    identity: Identity
    format: Literal["verilabel/system/v1"] = "verilabel/system/v1"
    weights: str | None = None
    params: dict[str, Scalar] = {}
    system_prompt: str | None = None
    """Digest of the system prompt's UTF-8 bytes."""
    tools: dict[str, str] = {}
    """Tool name to digest of its definition."""
    guardrails: dict[str, str] = {}
    """Guardrail name to digest of its configuration."""
    use_case: str = "general-chat"
    locale: str = "en-US"
    modality: str = "text"
    base_url: str | None = None

    def document(self) -> dict[str, object]:
        """The descriptor as a JSON document (what is hashed and stored)."""
        document: dict[str, object] = msgspec.to_builtins(self)
        return {"format": self.format, **document}

    def bytes(self) -> bytes:
        """The canonical bytes of the descriptor."""
        return jcs(self.document())

    @property
    def digest(self) -> str:
        """The subject of every label of this system."""
        return digest(self.bytes())


def scope_difference(a: SystemDescriptor, b: SystemDescriptor, keys: Iterable[str]) -> list[str]:
    """The keys among `keys` in which two systems differ (label-semantics section 11).

    Raises MalformedInput for a key that no descriptor has.
    """
    differing = []
    for key in keys:
        if key not in BIND_KEYS:
            raise MalformedInput(f"{key!r} is not a key that a label can bind to", hint=", ".join(BIND_KEYS))
        if getattr(a, key) != getattr(b, key):
            differing.append(key)
    return differing
