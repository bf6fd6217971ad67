"""A real OTLP endpoint over HTTP: keeps the spans and events that it is sent, and every byte."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

WAIT_S = 20.0
VALUE = "value"


class Receiver(http.server.ThreadingHTTPServer):
    """An endpoint at `url`. With `status` other than 200 it takes nothing."""

    daemon_threads = True

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.raw: list[bytes] = []
        self.traces: list[ExportTraceServiceRequest] = []
        self.logs: list[ExportLogsServiceRequest] = []
        self.tries = 0
        self.came = threading.Condition()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """The endpoint without a path, as OTEL_EXPORTER_OTLP_ENDPOINT has it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def spans(self) -> list[Any]:
        """All spans, in the order in which they began."""
        found = [
            span
            for request in self.traces
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    @property
    def events(self) -> list[Any]:
        """All log records, in the order in which they came."""
        return [
            record
            for request in self.logs
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    @property
    def resources(self) -> list[dict[str, Any]]:
        """The attributes of every resource."""
        found = [resource.resource for request in self.traces for resource in request.resource_spans]
        found += [resource.resource for request in self.logs for resource in request.resource_logs]
        return [attributes(resource) for resource in found]

    def spans_named(self, name: str) -> list[Any]:
        """The spans of one name."""
        return [span for span in self.spans if span.name == name]

    def holds(self, text: str) -> bool:
        """True if a text stands anywhere in what came, as bytes."""
        return any(text.encode() in raw for raw in self.raw)

    def wait_until(self, holds: Callable[[Receiver], bool]) -> None:
        """Wait until something is true of what came; fail after `WAIT_S`."""
        with self.came:
            assert self.came.wait_for(lambda: holds(self), WAIT_S), "it did not come"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        data = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            data = gzip.decompress(data)
        with server.came:
            server.tries += 1
            if server.status == 200:
                self._keep(server, data)
            server.came.notify_all()
        self.send_response(server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def _keep(self, server: Any, data: bytes) -> None:
        server.raw.append(data)
        if self.path == "/v1/traces":
            server.traces.append(ExportTraceServiceRequest.FromString(data))
        elif self.path == "/v1/logs":
            server.logs.append(ExportLogsServiceRequest.FromString(data))

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""


@contextmanager
def otlp_receiver(status: int = 200) -> Iterator[Receiver]:
    """An endpoint while the block lasts."""
    with Receiver(status) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def attributes(of: Any) -> dict[str, Any]:
    """The attributes of a span, an event or a resource that was received."""
    return {item.key: _value(item.value) for item in of.attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof(VALUE)
    found = getattr(value, kind)
    return [_value(item) for item in found.values] if kind == "array_value" else found
