"""What admission tells the pipeline: whether a target may be used for a request, and under which label."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

FLAGGED = "flagged:"
"""Objections that begin so are by rows whose `otherwise` is flag, or waived: recorded, and no reason to refuse."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the labels say of one target of one route, at this moment.

    `admitted` False comes with `reasons`; `flags` are objections where the row's `otherwise` is flag, and waivers
    that were used, as `waived:REQUIREMENT`. `label` is the response header's value, such as
    `verilabel/core@1 L2 cannot-exclude=L3 V2 sha256:1f...`.
    """

    admitted: bool
    reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    label: str | None = None
    label_digest: str | None = None


class Admission(Protocol):
    """Verified labels by route and target; verified at start, on change and on a timer, outside the hot path."""

    def standing(self, route: str, target: int) -> Standing:
        """How the target of a route stands now: a look-up, and validity by the clock."""
        ...

    def objections(self, route: str, target: int, in_use: dict[str, Any]) -> tuple[str, ...]:
        """What in this request leaves the label's scope: `in_use` has `params`, `system` (text), `tools`
        (definitions by name), `guardrails` (digest). Empty where no row asks for it. See `FLAGGED`."""
        ...

    def observe(
        self, route: str, target: int, served_model: str | None, fingerprint: str | None
    ) -> str | None:
        """Note what the upstream says it served; the objection where it leaves the label's scope. See `FLAGGED`."""
        ...
