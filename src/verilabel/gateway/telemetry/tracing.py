"""Spans of requests for an OTLP endpoint, in the background; where none is named nothing is loaded and nothing costs.

One span a request, children for the upstream and for guards that took time. Attributes are the names of
`names.ATTRIBUTES` and, where the operator asks for them, OpenTelemetry's GenAI conventions; never content. A client's
`traceparent` (W3C Trace Context) is continued, and handed on to the upstream whether spans are kept or not.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from verilabel import __version__
from verilabel.errors import MissingExtra, UsageError
from verilabel.gateway.policy.document import Telemetry
from verilabel.gateway.telemetry.names import ATTRIBUTES, GENAI_ATTRIBUTES, REQUEST_SPAN

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

MAX_QUEUE = 8192
MAX_BATCH = 512
SEND_EVERY_S = 1.0
TIMEOUT_S = 5.0
MAX_TEXT = 256
_HEX = frozenset("0123456789abcdef")
_OPERATIONS = {"completions": "text_completion", "embeddings": "embeddings"}
_PROVIDERS = {
    "openai": "openai",
    "openai-responses": "openai",
    "anthropic": "anthropic",
    "google": "gcp.gen_ai",
}
Value = str | int | float | bool


class RequestSpan(Protocol):
    """What is noted of one request. `traceparent` goes to the upstream, where there is one."""

    traceparent: str | None

    def note(self, attributes: Mapping[str, Value | None]) -> None:
        """Add attributes of `names.ATTRIBUTES`; those without a value are left out."""
        ...

    def note_model(
        self,
        upstream_dialect: str,
        asked: str | None,
        served: str | None,
        input_tokens: int | None,
        output_tokens: int | None,
    ) -> None:
        """Add the GenAI conventions, where the operator asks for them."""
        ...

    def add_child(
        self,
        name: str,
        started_ns: int,
        ended_ns: int,
        attributes: Mapping[str, Value | None],
        *,
        failed: bool = False,
    ) -> None:
        """Add a span of something that has ended. Times in nanoseconds since 1970 (`time.time_ns`)."""
        ...

    def end(self, outcome: str, status: int) -> None:
        """The request has ended."""
        ...


class Tracing(Protocol):
    """Gives every request its span."""

    @property
    def lost(self) -> int:
        """Spans that were not taken."""
        ...

    def begin(self, traceparent: str | None, *, route: str, dialect: str, request_id: str) -> RequestSpan:
        """A request has begun; `traceparent` is the client's header, whatever it holds."""
        ...

    def close(self) -> None:
        """Send what is left, for `TIMEOUT_S` at most. It blocks: not for the event loop."""
        ...


def parse_traceparent(text: str | None) -> tuple[int, int, int] | None:
    """Trace id, span id and flags of a `traceparent` of W3C Trace Context, version 00; None for all else."""
    if text is None or len(text) != 55 or not (text[2] == text[35] == text[52] == "-") or text[:2] != "00":
        return None
    trace, span, flags = text[3:35], text[36:52], text[53:]
    if not (_HEX.issuperset(trace) and _HEX.issuperset(span) and _HEX.issuperset(flags)):
        return None
    found = int(trace, 16), int(span, 16), int(flags, 16)
    return found if found[0] and found[1] else None


class _Passing:
    """A request of which no span is kept: only its client's trace is handed on."""

    __slots__ = ("traceparent",)

    def __init__(self, traceparent: str | None) -> None:
        self.traceparent = traceparent

    def note(self, attributes: Mapping[str, Value | None]) -> None:
        """Nothing is kept."""

    def note_model(self, *what: object) -> None:
        """Nothing is kept."""

    def add_child(self, *what: object, **more: object) -> None:
        """Nothing is kept."""

    def end(self, outcome: str, status: int) -> None:
        """Nothing is kept."""


_NOTHING = _Passing(None)


class NoTracing:
    """Where no endpoint is named."""

    lost = 0

    def begin(self, traceparent: str | None, **_: str) -> RequestSpan:
        """A span that keeps nothing."""
        if traceparent is None or parse_traceparent(traceparent) is None:
            return _NOTHING
        return _Passing(traceparent)

    def close(self) -> None:
        """There is nothing to send."""


def open_tracing(settings: Telemetry) -> Tracing:
    """Tracing as the settings ask for it. Raises MissingExtra, and UsageError for an endpoint that is none."""
    if settings.otlp_endpoint is None:
        return NoTracing()
    endpoint = _traces_address(settings.otlp_endpoint)
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise MissingExtra("opentelemetry-exporter-otlp-proto-http", "otel") from None
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT_S)
    return OtlpTracing(exporter, settings)


def _traces_address(endpoint: str) -> str:
    where = "$.telemetry.otlp_endpoint"
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("not the address of an OTLP endpoint", where=where, hint="http://127.0.0.1:4318")
    if parts.username is not None or parts.password is not None or parts.query:
        raise UsageError(
            "an address with secrets in it", where=where, hint="use the variable OTEL_EXPORTER_OTLP_HEADERS"
        )
    plain = endpoint.rstrip("/")
    return plain if parts.path.rstrip("/").endswith("/v1/traces") else f"{plain}/v1/traces"


class OtlpTracing:
    """Spans for an exporter, which a thread of its own feeds from a bounded queue."""

    def __init__(self, exporter: SpanExporter, settings: Telemetry) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

        resource = Resource.create({"service.name": settings.service_name, "service.version": __version__})
        self._sender = _Sender(exporter)
        provider = TracerProvider(sampler=ParentBased(ALWAYS_ON), resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(_make_processor(self._sender))
        self._tracer = provider.get_tracer("verilabel.gateway", __version__)
        self._has_genai = settings.genai_conventions

    @property
    def lost(self) -> int:
        """Spans that the endpoint did not take, or that there was no room for."""
        return self._sender.lost

    def begin(self, traceparent: str | None, *, route: str, dialect: str, request_id: str) -> RequestSpan:
        """A span for a request, within its client's trace where it names one."""
        from opentelemetry.trace import SpanKind

        span = self._tracer.start_span(
            REQUEST_SPAN,
            context=_remote_context(traceparent),
            kind=SpanKind.SERVER,
            attributes={
                "verilabel.route": route,
                "verilabel.dialect": dialect,
                "verilabel.request.id": request_id,
            },
        )
        return _OtlpSpan(self._tracer, span, dialect, has_genai=self._has_genai)

    def close(self) -> None:
        """Send what is left."""
        self._sender.close()


def _remote_context(traceparent: str | None) -> Any:
    parent = parse_traceparent(traceparent)
    if parent is None:
        return None
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    context = SpanContext(parent[0], parent[1], is_remote=True, trace_flags=TraceFlags(parent[2]))
    return set_span_in_context(NonRecordingSpan(context))


class _OtlpSpan:
    __slots__ = ("_dialect", "_has_genai", "_span", "_tracer", "traceparent")

    def __init__(self, tracer: Tracer, span: Span, dialect: str, *, has_genai: bool) -> None:
        self._tracer = tracer
        self._span = span
        self._dialect = dialect
        self._has_genai = has_genai
        context = span.get_span_context()
        self.traceparent: str | None = (
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags) & 1:02x}"
        )

    def note(self, attributes: Mapping[str, Value | None]) -> None:
        self._span.set_attributes(_known(attributes, ATTRIBUTES))

    def note_model(
        self,
        upstream_dialect: str,
        asked: str | None,
        served: str | None,
        input_tokens: int | None,
        output_tokens: int | None,
    ) -> None:
        if not self._has_genai:
            return
        said: dict[str, Value | None] = {
            "gen_ai.operation.name": _OPERATIONS.get(self._dialect, "chat"),
            "gen_ai.provider.name": _PROVIDERS.get(upstream_dialect),
            "gen_ai.request.model": asked,
            "gen_ai.response.model": served,
            "gen_ai.usage.input_tokens": input_tokens,
            "gen_ai.usage.output_tokens": output_tokens,
        }
        self._span.set_attributes(_known(said, GENAI_ATTRIBUTES))

    def add_child(
        self,
        name: str,
        started_ns: int,
        ended_ns: int,
        attributes: Mapping[str, Value | None],
        *,
        failed: bool = False,
    ) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        child = self._tracer.start_span(
            name,
            context=set_span_in_context(self._span),
            kind=SpanKind.CLIENT,
            attributes=_known(attributes, ATTRIBUTES),
            start_time=started_ns,
        )
        if failed:
            child.set_status(Status(StatusCode.ERROR))
        child.end(end_time=ended_ns)

    def end(self, outcome: str, status: int) -> None:
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attributes({"verilabel.outcome": outcome, "http.response.status_code": status})
        if status >= 500:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def _known(attributes: Mapping[str, Value | None], names: Mapping[str, str]) -> dict[str, Value]:
    """Attributes that have a value and a name of ours: whatever else is put in never leaves the machine."""
    return {
        name: value[:MAX_TEXT] if isinstance(value, str) else value
        for name, value in attributes.items()
        if value is not None and name in names
    }


class _Sender:
    """Takes ended spans without waiting, and sends them in batches from a thread of its own."""

    def __init__(self, exporter: SpanExporter) -> None:
        self.lost = 0
        self._exporter = exporter
        self._queue: queue.Queue[ReadableSpan | None] = queue.Queue(MAX_QUEUE)
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def take(self, span: ReadableSpan) -> None:
        """Queue a span, or count it as lost."""
        try:
            self._queue.put_nowait(span)
        except queue.Full:
            self.lost += 1

    def close(self) -> None:
        """Send what is queued; what cannot be sent in `TIMEOUT_S` is lost."""
        with suppress(queue.Full):
            self._queue.put(None, timeout=TIMEOUT_S)
        self._thread.join(TIMEOUT_S)
        self._exporter.shutdown()

    def _run(self) -> None:
        is_over = False
        while not is_over:
            batch, is_over = self._collect()
            if batch:
                self._send(batch)

    def _collect(self) -> tuple[list[ReadableSpan], bool]:
        """Up to a whole batch, or what comes within `SEND_EVERY_S` of the first; and whether that was all."""
        first = self._queue.get()
        if first is None:
            return [], True
        batch, until = [first], time.monotonic() + SEND_EVERY_S
        while len(batch) < MAX_BATCH and (left := until - time.monotonic()) > 0:
            with suppress(queue.Empty):
                span = self._queue.get(timeout=left)
                if span is None:
                    return batch, True
                batch.append(span)
        return batch, False

    def _send(self, batch: list[ReadableSpan]) -> None:
        from opentelemetry.sdk.trace.export import SpanExportResult

        try:
            is_taken = self._exporter.export(batch) is SpanExportResult.SUCCESS
        except Exception:  # an exporter's failure is no failure of a request
            is_taken = False
        if not is_taken:
            self.lost += len(batch)


def _make_processor(sender: _Sender) -> Any:
    from opentelemetry.sdk.trace import SpanProcessor

    class Processor(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            if span.context is not None and span.context.trace_flags.sampled:
                sender.take(span)

    return Processor()
