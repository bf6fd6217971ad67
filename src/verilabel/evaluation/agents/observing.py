"""What an episode tells an observer: spans of the agent, its questions, its tools and the sandbox, without content.

Names are those of OpenTelemetry's GenAI conventions (`invoke_agent`, `chat`, `execute_tool`), which are in development,
and our own `verilabel.*`. Attributes are names, counts, sizes and outcomes; texts, arguments and results are never
among them. Where nobody observes, a span is one shared object that does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from verilabel import __version__
from verilabel.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

Value = str | int | bool
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Variables that OpenTelemetry's exporter reads; where neither is set nothing is sent."""
MAX_TEXT = 128
AGENT_SPAN = "invoke_agent"
_answered: ContextVar[tuple[Mapping[str, Value | None], Any] | None] = ContextVar("answered", default=None)
"""The attributes and the context of the last agent's span that ended in this task."""


class Span(Protocol):
    """A stretch of an episode that has begun."""

    def note(self, attributes: Mapping[str, Value | None]) -> None:
        """Add attributes; those without a value are left out."""
        ...

    def fail(self, kind: str) -> None:
        """Say that it failed, by one word."""
        ...


class Observer(Protocol):
    """Is told of what an episode does. Used from one event loop; spans nest as they are entered in a task."""

    def observe(self, name: str, attributes: Mapping[str, Value | None]) -> AbstractContextManager[Span]:
        """A span from entering to leaving."""
        ...

    def close(self) -> None:
        """Send what is left. It may block for some seconds."""
        ...


class _NoSpan:
    """A span that keeps nothing."""

    __slots__ = ()

    def __enter__(self) -> _NoSpan:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def note(self, attributes: Mapping[str, Value | None]) -> None:
        """Nothing is kept."""

    def fail(self, kind: str) -> None:
        """Nothing is kept."""


_NO_SPAN = _NoSpan()


class NoObserver:
    """Where nobody observes."""

    def observe(self, name: str, attributes: Mapping[str, Value | None]) -> AbstractContextManager[Span]:
        """A span that keeps nothing."""
        del name, attributes
        return _NO_SPAN

    def close(self) -> None:
        """There is nothing to send."""


NO_OBSERVER = NoObserver()


class _OtelSpan:
    """A span of OpenTelemetry, current while it is entered."""

    def __init__(self, tracer: Any, name: str, attributes: Mapping[str, Value | None]) -> None:
        from opentelemetry.trace import SpanKind

        self._agent = attributes if name.startswith(AGENT_SPAN) else None
        internal = name.startswith(("invoke_agent", "execute_tool", "verilabel."))
        kind = SpanKind.INTERNAL if internal else SpanKind.CLIENT
        self._entering = tracer.start_as_current_span(name, kind=kind, attributes=_kept(attributes))
        self._span: Any = None

    def __enter__(self) -> _OtelSpan:
        self._span = self._entering.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # an exception's message may hold content: only its kind is told
        if kind is not None:
            self.fail(kind.__name__)
        self._entering.__exit__(None, None, None)
        if self._agent is not None:
            _answered.set((self._agent, self._span.get_span_context()))

    def note(self, attributes: Mapping[str, Value | None]) -> None:
        """Add attributes."""
        self._span.set_attributes(_kept(attributes))

    def fail(self, kind: str) -> None:
        """Say that it failed."""
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attribute("error.type", kind[:MAX_TEXT])
        self._span.set_status(Status(StatusCode.ERROR))


class OtelObserver:
    """Spans for an exporter, sent by OpenTelemetry's own batches in the background."""

    def __init__(self, exporter: SpanExporter) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource.create({"service.name": "verilabel", "service.version": __version__})
        self._provider: TracerProvider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("verilabel.agents", __version__)

    def observe(self, name: str, attributes: Mapping[str, Value | None]) -> AbstractContextManager[Span]:
        """A span under the one that is current in this task."""
        return _OtelSpan(self._tracer, name, attributes)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def span_of_answer(suite: str, sample: str, epoch: int) -> Any:
    """The span context of the episode that answered a sample, as far as the task that asks played it last; or None.

    What is found of an answer is told in the task that got it, after its span has ended: an answer of another sample,
    or one that was kept from an earlier run, has no span here. An epoch is held against the span's where it names one.
    """
    found = _answered.get()
    if found is None:
        return None
    attributes, context = found
    asked = (suite, sample, attributes.get("verilabel.epoch", epoch))
    named = (attributes.get("verilabel.suite"), attributes.get("verilabel.sample"), epoch)
    return context if asked == named else None


def open_observer(environ: Mapping[str, str]) -> Observer:
    """The observer that the environment asks for by OpenTelemetry's own variables; one that keeps nothing by default.

    Raises MissingExtra where an endpoint is named and the exporter is not installed, UsageError for an endpoint that
    is none.
    """
    named = [environ[name] for name in ENDPOINTS if environ.get(name)]
    if not named:
        return NO_OBSERVER
    if not named[0].startswith(("http://", "https://")):
        raise UsageError(
            "not the address of an OTLP endpoint", where=ENDPOINTS[1], hint="http://127.0.0.1:4318"
        )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise MissingExtra("opentelemetry-exporter-otlp-proto-http", "otel") from None
    traces = environ.get(ENDPOINTS[0]) or environ[ENDPOINTS[1]].rstrip("/") + "/v1/traces"
    return OtelObserver(OTLPSpanExporter(endpoint=traces, timeout=5.0))


def _kept(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    return {
        key: value[:MAX_TEXT] if isinstance(value, str) else value
        for key, value in attributes.items()
        if value is not None
    }
