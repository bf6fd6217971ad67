"""Spans around every decision and call; without content, and without cost where nobody collects them.

The protocol library opens the span of the request (`tools/call NAME`); under it stand `run_guardrail`,
`verilabel.approval` and `execute_tool`. Names of our own (`verilabel.*`) are stable; the draft names of guardrail spans
come with them only where they are asked for, because they still change. What may leave the machine is named in
`exporting`; the audit trail is the source of truth, and names the trace and the span of every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, Status, StatusCode, TraceFlags

from verilabel import __version__
from verilabel.errors import MissingExtra, UsageError
from verilabel.gateway.telemetry.tracing import parse_traceparent

DRAFT = "genai-draft-427"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Variables that OpenTelemetry's exporter reads; where neither is set nothing is sent."""
SCOPE = "verilabel.mcp"
Value = str | int | bool | tuple[str, ...]


class Telemetry:
    """Opens spans. `draft` adds the names that are still a draft."""

    def __init__(self, *, draft: bool = False) -> None:
        self._tracer = trace.get_tracer(SCOPE, __version__)
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

    def note_decision(
        self,
        *,
        action: str,
        policy: str,
        rules: tuple[str, ...],
        session: str,
        digest_arguments: Callable[[], str],
    ) -> None:
        """A span of its own for one decision. Arguments are digested only where the span is kept."""
        with self._tracer.start_as_current_span("run_guardrail verilabel.policy") as span:
            if not span.is_recording():
                return
            arguments = digest_arguments()
            span.set_attributes(
                {
                    "verilabel.verdict": action,
                    "verilabel.policy": policy,
                    "verilabel.rules": rules,
                    "verilabel.session": session,
                    "verilabel.args.hmac": arguments,
                }
            )
            if self._draft:
                span.set_attributes(_draft_attributes(action, policy, rules, arguments))

    def name_request(self, tool: str) -> None:
        """Say which tool the request is for (`SERVER/TOOL`), once it is found among those that the servers have.

        Until then a name is the agent's text, and `exporting` keeps it here.
        """
        trace.get_current_span().set_attribute("verilabel.tool", tool)

    def note_outcome(self, call_id: str, outcome: str, code: str | None) -> None:
        """Say on the span of the request what became of it, in the words of the audit trail."""
        span = trace.get_current_span()
        span.set_attributes({"verilabel.call.id": call_id, "verilabel.outcome": outcome})
        if code is not None:
            span.set_attribute("verilabel.code", code)


def _draft_attributes(action: str, policy: str, rules: tuple[str, ...], arguments: str) -> dict[str, str]:
    """The draft's names for a decision (open-telemetry/semantic-conventions-genai, pull request 427)."""
    found = {
        "gen_ai.operation.name": "run_guardrail",
        "gen_ai.guardrail.component.name": "verilabel.policy",
        "gen_ai.guardrail.target.type": "tool_call",
        "gen_ai.guardrail.verdict.type": {"ask": "escalate"}.get(action, action),
        "gen_ai.guardrail.action.type": {"allow": "allow", "ask": "escalate"}.get(action, "block"),
        "gen_ai.guardrail.security.policy.id": policy,
        "gen_ai.guardrail.security.content.input.hash": arguments,
    }
    if rules:
        found["gen_ai.guardrail.security.policy.rule.id"] = rules[0]
    return found


def current_trace() -> tuple[str, str]:
    """Trace and span id in hexadecimal digits of what is under way, as records name them; empty where there is none.

    Where no spans are kept these are the caller's own, which it sent as `traceparent`.
    """
    context = trace.get_current_span().get_span_context()
    return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else ("", "")


class Traceparent(TextMapPropagator):
    """Takes over and hands on `traceparent` of W3C Trace Context, and nothing else.

    `tracestate` and `baggage` are texts that the client chose; no policy has seen them, so that they go to no server.
    """

    def extract(
        self, carrier: Any, context: Context | None = None, getter: Getter[Any] = default_getter
    ) -> Context:
        """The context that a carrier names; the given one where it names none."""
        found = getter.get(carrier, "traceparent") or []
        text = found[0] if len(found) == 1 and isinstance(found[0], str) else None
        parent = parse_traceparent(text)
        if parent is None:
            return Context() if context is None else context
        remote = SpanContext(parent[0], parent[1], is_remote=True, trace_flags=TraceFlags(parent[2]))
        return trace.set_span_in_context(NonRecordingSpan(remote), context)

    def inject(
        self, carrier: Any, context: Context | None = None, setter: Setter[Any] = default_setter
    ) -> None:
        """Hand on the ids of the current span, where there is one."""
        span = trace.get_current_span(context).get_span_context()
        if span.is_valid:
            flags = int(span.trace_flags) & 1
            setter.set(carrier, "traceparent", f"00-{span.trace_id:032x}-{span.span_id:016x}-{flags:02x}")

    @property
    def fields(self) -> set[str]:
        """The one name that is read and written."""
        return {"traceparent"}


def start_export(environ: Mapping[str, str], service_name: str) -> Callable[[], None]:
    """Set up tracing for a process of a gateway as OpenTelemetry's variables ask for it; gives what ends it.

    What ends it sends what is left and may block for some seconds: it is not for an event loop. Without an endpoint
    nothing is loaded and nothing sent; `traceparent` is continued and handed on in any case. Where the process has a
    tracer provider already, exporting is that provider's business. Raises MissingExtra where an endpoint is named and
    the exporter is not installed, UsageError for an endpoint that is none.
    """
    propagate.set_global_textmap(Traceparent())
    endpoint = _traces_endpoint(environ)
    if endpoint is None or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return lambda: None
    try:
        from verilabel.gateway.mcp.relay.exporting import open_provider
    except ImportError:
        raise MissingExtra("opentelemetry-exporter-otlp-proto-http", "otel") from None
    provider = open_provider(endpoint, environ.get("OTEL_SERVICE_NAME") or service_name)
    trace.set_tracer_provider(provider)
    return provider.shutdown


def _traces_endpoint(environ: Mapping[str, str]) -> str | None:
    is_off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    name = next((name for name in ENDPOINTS if environ.get(name)), None)
    if name is None or is_off or environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    parts = urlsplit(environ[name])
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("not the address of an OTLP endpoint", where=name, hint="http://127.0.0.1:4318")
    if parts.username is not None or parts.password is not None or parts.query:
        raise UsageError(
            "an address with secrets in it", where=name, hint="use the variable OTEL_EXPORTER_OTLP_HEADERS"
        )
    return environ[name] if name == ENDPOINTS[0] else environ[name].rstrip("/") + "/v1/traces"
