"""Findings and labels as OpenTelemetry events (`gen_ai.evaluation.result`); without content, and off by default.

An event names a suite, the digest of a sample, a detector, a rubric and a verdict. What the model was asked and what it
answered is never in it, and why a detector found what it found only where that is asked for, because it may quote the
answer. The run's store is the source of truth: an event is sent after its finding was written, and may be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from verilabel import __version__
from verilabel.errors import MissingExtra, UsageError
from verilabel.evidence.journal import Store
from verilabel.evidence.lines import Line
from verilabel.records.label import Label
from verilabel.records.plan import RubricReference
from verilabel.records.sample import SampleEntry
from verilabel.records.score import Scored, Unscored

if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import LogRecordExporter

EVENT = "gen_ai.evaluation.result"
LABEL = "verilabel.label"
"""The event's `gen_ai.evaluation.name` where it is about a whole label."""
ENDPOINTS = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Variables that OpenTelemetry's exporter reads; where neither is set nothing is sent."""
EXPLAIN = "VERILABEL_EVALUATION_EXPLANATIONS"
"""The variable that, set to 1, puts the details of findings into events. They may quote answers."""
MAX_TEXT = 256
MAX_QUEUE = 16_384
"""Events that wait to be sent; further ones are lost, and OpenTelemetry says so on standard error."""
TIMEOUT_S = 5.0
ATTRIBUTES: Mapping[str, str] = {
    "gen_ai.evaluation.name": f"the event that was looked for (refused, harmful, correct); {LABEL} for a label",
    "gen_ai.evaluation.score.value": "1 where the event is true, 0 where it is not",
    "gen_ai.evaluation.score.label": "the event, or not_ and the event; both halves of a label",
    "gen_ai.evaluation.explanation": f"the finding's detail; only with {EXPLAIN}=1",
    "error.type": "unscored, where the detector could not tell",
    "verilabel.suite": "ID@VERSION",
    "verilabel.sample": "digest of the sample, as the bundle's index has it",
    "verilabel.epoch": "which answer to the sample",
    "verilabel.detector": "ID@VERSION",
    "verilabel.rubric": "ID@VERSION",
    "verilabel.label.kind": "assurance or hazard",
    "verilabel.label.lower": "level that is granted, or established",
    "verilabel.label.upper": "level that cannot be excluded, or is not ruled out",
    "verilabel.manifest": "digest of the sealed bundle's manifest",
}
Finding = Scored | Unscored
SpanOf = Callable[[str, str, int], Any]
"""Suite, sample and epoch to the span context of the answer; None where there is no span."""


class FindingObserver(Protocol):
    """Is told of every finding, after it was written. Used from one event loop; it never waits and never fails."""

    def note(self, finding: Finding) -> None:
        """A detector has looked at an answer."""
        ...

    def note_label(self, label: Label, manifest: str) -> None:
        """A label was sealed in a bundle whose manifest has this digest."""
        ...

    def close(self) -> None:
        """Send what is left. It may block for some seconds."""
        ...


class NoEvents:
    """Where nobody collects."""

    def note(self, finding: Finding) -> None:
        """Nothing is sent."""

    def note_label(self, label: Label, manifest: str) -> None:
        """Nothing is sent."""

    def close(self) -> None:
        """There is nothing to send."""


NO_EVENTS = NoEvents()


class Journal(Protocol):
    """What a run does with its store while it runs."""

    def append(self, records: Iterable[Line]) -> None:
        """Append records as one write."""
        ...

    def sync(self) -> None:
        """Force what was appended onto the disk."""
        ...

    def records(self) -> Iterator[Line]:
        """All records in the order they were appended."""
        ...


class NotedJournal:
    """A store whose findings an observer is told of once they are written: what was not kept is not told."""

    def __init__(self, store: Store, observer: FindingObserver) -> None:
        self._store = store
        self._observer = observer

    def append(self, records: Iterable[Line]) -> None:
        """Append records as one write, then tell of the findings among them. Raises what `Store.append` raises."""
        written = tuple(records)
        self._store.append(written)
        for record in written:
            if isinstance(record, Scored | Unscored):
                self._observer.note(record)

    def sync(self) -> None:
        """Force what was appended onto the disk."""
        self._store.sync()

    def records(self) -> Iterator[Line]:
        """All records in the order they were appended."""
        return self._store.records()


def note_findings(store: Store, observer: FindingObserver) -> Journal:
    """The store as a run is to have it: the store itself where nobody observes."""
    return store if observer is NO_EVENTS else NotedJournal(store, observer)


class OtelEvents:
    """Events for an exporter, sent by OpenTelemetry's own batches in the background."""

    def __init__(
        self,
        exporter: LogRecordExporter,
        *,
        rubric: str,
        samples: Mapping[tuple[str, str], str],
        span_of: SpanOf | None = None,
        explains: bool = False,
        service_name: str = "verilabel",
    ) -> None:
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
        from opentelemetry.sdk.resources import Resource

        resource = Resource.create({"service.name": service_name, "service.version": __version__})
        self._provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_queue_size=MAX_QUEUE))
        self._logger = self._provider.get_logger("verilabel.evaluation", __version__)
        self._rubric = rubric
        self._samples = samples
        self._span_of = span_of
        self._explains = explains

    def note(self, finding: Finding) -> None:
        """One event for one finding, below the answer's span where there is one."""
        attributes: dict[str, str | int | float] = {
            "gen_ai.evaluation.name": finding.event,
            "verilabel.suite": finding.suite,
            "verilabel.epoch": finding.epoch,
            "verilabel.detector": finding.detector,
            "verilabel.rubric": self._rubric,
        }
        if (sample := self._samples.get((finding.suite, finding.sample))) is not None:
            attributes["verilabel.sample"] = sample
        if isinstance(finding, Scored):
            attributes["gen_ai.evaluation.score.value"] = float(finding.value)
            attributes["gen_ai.evaluation.score.label"] = (
                finding.event if finding.value else f"not_{finding.event}"
            )
        else:
            attributes["error.type"] = "unscored"
        why = finding.detail if isinstance(finding, Scored) else finding.reason
        if self._explains and why:
            attributes["gen_ai.evaluation.explanation"] = why[:MAX_TEXT]
        span = self._span_of(finding.suite, finding.sample, finding.epoch) if self._span_of else None
        self._send(attributes, span)

    def note_label(self, label: Label, manifest: str) -> None:
        """One event for a label; both halves of the pair are in it."""
        self._send(
            {
                "gen_ai.evaluation.name": LABEL,
                "gen_ai.evaluation.score.label": f"{label.lower}..{label.upper}",
                "verilabel.rubric": _name_of(label.rubric),
                "verilabel.label.kind": label.kind,
                "verilabel.label.lower": label.lower,
                "verilabel.label.upper": label.upper,
                "verilabel.manifest": manifest,
            },
            None,
        )

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _send(self, attributes: Mapping[str, str | int | float], span: Any) -> None:
        from opentelemetry.context import Context
        from opentelemetry.trace import NonRecordingSpan, set_span_in_context

        context = Context() if span is None else set_span_in_context(NonRecordingSpan(span), Context())
        bounded = {name: v[:MAX_TEXT] if isinstance(v, str) else v for name, v in attributes.items()}
        self._logger.emit(event_name=EVENT, attributes=bounded, context=context)


def open_events(
    environ: Mapping[str, str],
    *,
    rubric: RubricReference,
    suites: Mapping[str, Sequence[SampleEntry]],
    span_of: SpanOf | None = None,
) -> FindingObserver:
    """The observer that the environment asks for by OpenTelemetry's own variables; one that sends nothing by default.

    `suites` maps `id@version` to the suite's index. Raises MissingExtra where an endpoint is named and the exporter is
    not installed, UsageError for an endpoint that is none.
    """
    endpoint = _logs_endpoint(environ)
    if endpoint is None:
        return NO_EVENTS
    try:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    except ImportError:
        raise MissingExtra("opentelemetry-exporter-otlp-proto-http", "otel") from None
    return OtelEvents(
        OTLPLogExporter(endpoint=endpoint, timeout=TIMEOUT_S),
        rubric=_name_of(rubric),
        samples={(suite, entry.id): entry.sha256 for suite, entries in suites.items() for entry in entries},
        span_of=span_of,
        explains=environ.get(EXPLAIN) == "1",
        service_name=environ.get("OTEL_SERVICE_NAME") or "verilabel",
    )


def send_label(environ: Mapping[str, str], label: Label, manifest: str) -> None:
    """Tell of a sealed label, and wait until it is sent or `TIMEOUT_S` have gone. Raises what `open_events` raises."""
    events = open_events(environ, rubric=label.rubric, suites={})
    try:
        events.note_label(label, manifest)
    finally:
        events.close()


def _name_of(rubric: RubricReference) -> str:
    return f"{rubric.id}@{rubric.version}"


def _logs_endpoint(environ: Mapping[str, str]) -> str | None:
    is_off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    name = next((name for name in ENDPOINTS if environ.get(name)), None)
    if name is None or is_off or environ.get("OTEL_LOGS_EXPORTER") == "none":
        return None
    parts = urlsplit(environ[name])
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("not the address of an OTLP endpoint", where=name, hint="http://127.0.0.1:4318")
    if parts.username is not None or parts.password is not None or parts.query:
        raise UsageError(
            "an address with secrets in it", where=name, hint="use the variable OTEL_EXPORTER_OTLP_HEADERS"
        )
    return environ[name] if name == ENDPOINTS[0] else environ[name].rstrip("/") + "/v1/logs"
