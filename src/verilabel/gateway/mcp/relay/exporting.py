"""Spans on their way out of the MCP gateway: what may leave is named here, and everything else stays.

The protocol library's spans carry texts that others chose: a tool's name as the agent wrote it, a method as the client
wrote it, messages of servers' errors. Only names that were found among what the servers have, methods of the protocol,
and attributes of the list below are sent; messages, span events and links never are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status
from opentelemetry.util.types import AttributeValue

from verilabel import __version__

OURS = "verilabel.mcp"
LIBRARY = "mcp-python-sdk"
"""The scopes whose spans are sent. Whatever else is traced in this process is nobody's business."""
MAX_QUEUE = 8_192
"""Spans that wait to be sent; further ones are lost, and OpenTelemetry says so on standard error."""
MAX_TEXT = 256
MAX_ITEMS = 32
MAX_ID = 40
TIMEOUT_S = 5.0
OTHER = "_OTHER"
ATTRIBUTES: Mapping[str, str] = {
    "mcp.method.name": f"the method; {OTHER} for one that is none of the protocol's",
    "mcp.protocol.version": "the version of the protocol that the request was read by",
    "jsonrpc.request.id": "the request's id, where it is short and plain",
    "gen_ai.operation.name": "execute_tool; run_guardrail with the draft names",
    "gen_ai.tool.name": "the tool by the name that the agent used, once it was found",
    "gen_ai.prompt.name": "the prompt, once it was found",
    "error.type": "tool_error, a JSON-RPC code, or the type of an exception",
    "rpc.response.status_code": "the JSON-RPC code of an error",
    "verilabel.call.id": "id of the call, as in the audit trail",
    "verilabel.outcome": "answered, failed, refused, held or allowed, as in the audit trail",
    "verilabel.code": "the refusal's code",
    "verilabel.tool": "SERVER/TOOL",
    "verilabel.server": "the server by its name in mcp.yaml",
    "verilabel.containment": "level of the sandbox that the server runs in, C0 to C5",
    "verilabel.verdict": "allow, ask or deny",
    "verilabel.policy": "digest of the policy in force",
    "verilabel.rules": "ids of the rules that decided",
    "verilabel.session": "the session, as in the audit trail",
    "verilabel.args.hmac": "digest of the arguments, keyed by a secret of the run",
    "verilabel.approval": "id of the approval",
}
DRAFT_ATTRIBUTES = frozenset(
    f"gen_ai.guardrail.{name}"
    for name in (
        "component.name",
        "target.type",
        "verdict.type",
        "action.type",
        "security.policy.id",
        "security.policy.rule.id",
        "security.content.input.hash",
    )
)
METHODS = frozenset(
    [
        "completion/complete",
        "elicitation/create",
        "initialize",
        "logging/setLevel",
        "notifications/cancelled",
        "notifications/elicitation/complete",
        "notifications/initialized",
        "notifications/message",
        "notifications/progress",
        "notifications/prompts/list_changed",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
        "notifications/roots/list_changed",
        "notifications/tools/list_changed",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "roots/list",
        "sampling/createMessage",
        "server/discover",
        "subscriptions/listen",
        "tools/call",
        "tools/list",
    ]
)
_TARGETS = ("gen_ai.tool.name", "gen_ai.prompt.name")
_PLAIN = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_")


class ContentFreeExporter(SpanExporter):
    """Hands spans to another exporter without whatever is not named in this file."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send what may leave. Called from the thread of the batches."""
        sent = [span for span in map(strip_span, spans) if span is not None]
        return self._inner.export(sent) if sent else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """End the other exporter."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the other exporter."""
        return self._inner.force_flush(timeout_millis)


def open_provider(endpoint: str, service_name: str) -> TracerProvider:
    """A provider that sends spans to an endpoint in batches, from a thread of its own."""
    resource = Resource.create({"service.name": service_name, "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(ContentFreeExporter(exporter), max_queue_size=MAX_QUEUE))
    return provider


def strip_span(span: ReadableSpan) -> ReadableSpan | None:
    """A span as it may leave; None for one that is neither ours nor the protocol library's."""
    scope = span.instrumentation_scope
    if scope is None or scope.name not in (OURS, LIBRARY):
        return None
    attributes = _named(span.attributes or {})
    name = span.name if scope.name == OURS else _rename(span, attributes)
    return ReadableSpan(
        name=name[:MAX_TEXT],
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=scope,
    )


def _named(attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    return {
        name: _bounded(value)
        for name, value in attributes.items()
        if name in ATTRIBUTES or name in DRAFT_ATTRIBUTES
    }


def _bounded(value: AttributeValue) -> AttributeValue:
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, Sequence):
        return [str(item)[:MAX_TEXT] for item in value[:MAX_ITEMS]]
    return value


def _rename(span: ReadableSpan, attributes: dict[str, AttributeValue]) -> str:
    """The library's name of a span, of what is known: takes away what the client chose."""
    method = attributes.get("mcp.method.name")
    if method not in METHODS:
        method = attributes["mcp.method.name"] = OTHER
    for name in ("jsonrpc.request.id", "mcp.protocol.version"):
        text = str(attributes.get(name, ""))
        if len(text) > MAX_ID or not _PLAIN.issuperset(text):
            del attributes[name]
    if span.kind is SpanKind.CLIENT:
        # what goes to a server was written by us: its target was found and decided before
        return span.name if span.name.startswith(f"MCP send {method}") else f"MCP send {method}"
    if "verilabel.tool" not in attributes:
        for target in _TARGETS:
            attributes.pop(target, None)
        return str(method)
    return " ".join([str(method), *(str(attributes[name]) for name in _TARGETS if name in attributes)])
