"""Spans around every decision and call; without content, and without cost where nobody collects them.

The protocol library opens the span of the request (`tools/call NAME`); under it stand `run_guardrail`,
`verilabel.approval` and `execute_tool`. Names of our own (`verilabel.*`) are stable; the draft names of guardrail spans
come with them only where they are asked for, because they still change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode

from verilabel import __version__

DRAFT = "genai-draft-427"
Value = str | int | bool | tuple[str, ...]


class Telemetry:
    """Opens spans. `draft` adds the names that are still a draft."""

    def __init__(self, *, draft: bool = False) -> None:
        self._tracer = trace.get_tracer("verilabel.mcp", __version__)
        self._draft = draft

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Value]) -> Iterator[Span]:
        """A span for the length of a block; an exception marks it as failed, by its type alone."""
        with self._tracer.start_as_current_span(
            name, attributes=dict(attributes), record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise

    def note_decision(self, *, action: str, policy: str, rules: tuple[str, ...], session: str) -> None:
        """A span of its own for one decision."""
        attributes: dict[str, Value] = {
            "verilabel.verdict": action,
            "verilabel.policy": policy,
            "verilabel.rules": rules,
            "verilabel.session": session,
        }
        if self._draft:
            attributes |= {
                "gen_ai.guardrail.name": "verilabel.policy",
                "gen_ai.guardrail.verdict": {"ask": "escalate"}.get(action, action),
                "gen_ai.guardrail.action": {"allow": "allow", "ask": "escalate"}.get(action, "block"),
            }
        with self.span("run_guardrail verilabel.policy", attributes):
            pass
