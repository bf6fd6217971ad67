"""Tracing: what a real OTLP receiver gets, what never leaves, and that requests do not wait for it."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from verilabel.errors import UsageError
from verilabel.gateway.policy.document import Telemetry
from verilabel.gateway.telemetry.names import UPSTREAM_SPAN
from verilabel.gateway.telemetry.tracing import MAX_QUEUE, open_tracing, parse_traceparent

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Receiver(http.server.ThreadingHTTPServer):
    """An OTLP endpoint that keeps what it is sent."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.paths: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["content-length"]))
        server: Any = self.server
        server.gate.wait(20)
        message = ExportTraceServiceRequest()
        message.ParseFromString(data)
        server.paths.append(self.path)
        server.requests.append(message)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.gate.set()
        server.shutdown()
        thread.join()


def attributes(span: Any) -> dict[str, Any]:
    """The attributes of a received span."""
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}


def trace_request(receiver: Receiver, *, parent: str | None = PARENT, genai: bool = False) -> str | None:
    """One request that two upstreams were asked for, sent; gives what the upstream was handed on."""
    settings = Telemetry(otlp_endpoint=receiver.address, genai_conventions=genai, service_name="edge")
    tracing = open_tracing(settings)
    span = tracing.begin(parent, route="gpt", dialect="chat", request_id="req_1")
    now = time.time_ns()
    span.add_child(UPSTREAM_SPAN, now, now + 5_000_000, {"verilabel.upstream": "openai"}, failed=True)
    span.add_child(
        UPSTREAM_SPAN, now, now + 1000, {"verilabel.upstream": "main", "content": "the secret text"}
    )
    span.note({"verilabel.key": "k_1", "verilabel.code": None, "prompt": "the secret text"})
    span.note_model("openai", "gpt-4o", "gpt-4o-2026", 100, 20)
    span.end("answered", 200)
    tracing.close()
    assert 0 == tracing.lost
    return span.traceparent


def test_a_request_is_one_span_with_a_child_for_each_upstream_that_was_asked(receiver: Receiver) -> None:
    trace_request(receiver)
    assert ["/v1/traces"] == receiver.paths
    upstream, second, request = receiver.spans
    assert ["verilabel.gateway.upstream", "verilabel.gateway.upstream", "verilabel.gateway.request"] == [
        upstream.name,
        second.name,
        request.name,
    ]
    assert {
        "verilabel.route": "gpt",
        "verilabel.dialect": "chat",
        "verilabel.request.id": "req_1",
        "verilabel.key": "k_1",
        "verilabel.outcome": "answered",
        "http.response.status_code": 200,
    } == attributes(request)
    assert {request.span_id} == {upstream.parent_span_id, second.parent_span_id}
    assert (2, 5_000_000) == (
        upstream.status.code,
        upstream.end_time_unix_nano - upstream.start_time_unix_nano,
    )
    resource = {
        i.key: i.value.string_value for i in receiver.requests[0].resource_spans[0].resource.attributes
    }
    assert "edge" == resource["service.name"]


def test_nothing_leaves_that_is_not_a_name_of_ours(receiver: Receiver) -> None:
    trace_request(receiver, genai=True)
    assert "secret" not in str(receiver.requests)


def test_the_clients_trace_is_continued_and_handed_on(receiver: Receiver) -> None:
    handed_on = trace_request(receiver)
    request = receiver.spans[-1]
    assert ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331") == (
        request.trace_id.hex(),
        request.parent_span_id.hex(),
    )
    assert f"00-{request.trace_id.hex()}-{request.span_id.hex()}-01" == handed_on


@pytest.mark.parametrize("parent", [None, "", "garbage", PARENT[:-1], PARENT.replace("0af7", "0AF7")])
def test_without_a_good_parent_a_new_trace_begins(receiver: Receiver, parent: str | None) -> None:
    trace_request(receiver, parent=parent)
    assert b"" == receiver.spans[-1].parent_span_id


def test_a_client_that_does_not_sample_is_not_sampled(receiver: Receiver) -> None:
    handed_on = trace_request(receiver, parent=PARENT[:-2] + "00")
    assert [] == receiver.spans
    assert (0xAF7651916CD43DD8448EB211C80319C, 0) == parse_traceparent(handed_on)[::2]  # type: ignore[index]


def test_genai_conventions_are_there_only_where_asked_for(receiver: Receiver) -> None:
    trace_request(receiver)
    assert not any(name.startswith("gen_ai.") for name in attributes(receiver.spans[-1]))
    trace_request(receiver, genai=True)
    found = attributes(receiver.spans[-1])
    assert ("chat", "openai", "gpt-4o", "gpt-4o-2026", 100, 20) == tuple(
        found[f"gen_ai.{name}"]
        for name in (
            "operation.name",
            "provider.name",
            "request.model",
            "response.model",
            "usage.input_tokens",
            "usage.output_tokens",
        )
    )


def test_an_endpoint_that_hangs_costs_spans_and_no_request(receiver: Receiver) -> None:
    receiver.gate.clear()
    tracing = open_tracing(Telemetry(otlp_endpoint=receiver.address))
    for _ in range(MAX_QUEUE + 2000):
        tracing.begin(None, route="gpt", dialect="chat", request_id="r").end("answered", 200)
    assert tracing.lost > 0
    receiver.gate.set()
    tracing.close()


def test_an_endpoint_that_is_not_there_is_counted() -> None:
    tracing = open_tracing(Telemetry(otlp_endpoint="http://127.0.0.1:9"))
    tracing.begin(None, route="gpt", dialect="chat", request_id="r").end("answered", 200)
    tracing.close()
    assert 1 == tracing.lost


def test_without_an_endpoint_the_clients_trace_is_handed_on_and_nothing_is_loaded() -> None:
    code = """
import sys
from verilabel.gateway.policy.document import Telemetry
from verilabel.gateway.telemetry.tracing import open_tracing
tracing = open_tracing(Telemetry())
one, two, three = (tracing.begin(p, route="r", dialect="chat", request_id="i") for p in (sys.argv[1], "bad", None))
one.note({"verilabel.key": "k"}); one.note_model("openai", None, None, None, None); one.end("answered", 200)
print(one.traceparent == sys.argv[1], two.traceparent, two is three, "opentelemetry" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code, PARENT], capture_output=True, text=True, check=True)
    assert "True None True False\n" == run.stdout


@pytest.mark.parametrize(
    "endpoint",
    [
        "localhost:4318",
        "file:///etc/passwd",
        "http://",
        "https://user:secret@otel.example",
        "http://h?k=secret",
    ],
)
def test_an_address_that_is_none_or_holds_secrets_is_refused_without_repeating_it(endpoint: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_tracing(Telemetry(otlp_endpoint=endpoint))
    assert "secret@" not in str(caught.value)
    assert "k=secret" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_header_is_read_or_refused(text: str) -> None:
    found = parse_traceparent(text)
    assert found is None or text == f"00-{found[0]:032x}-{found[1]:016x}-{found[2]:02x}"


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**64 - 1), st.integers(0, 255))
def test_a_well_formed_header_is_read(trace: int, span: int, flags: int) -> None:
    found = parse_traceparent(f"00-{trace:032x}-{span:016x}-{flags:02x}")
    assert found == ((trace, span, flags) if trace and span else None)
