"""Spans of calls at a real OTLP endpoint: how they nest, what they say, and what never leaves the machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from mcp_world import FLOW, World, text_of
from servers.mcp_gateway import make_key, running_mcp_gateway
from servers.otlp_receiver import Receiver, attributes, otlp_receiver
from verilabel.errors import UsageError
from verilabel.gateway.mcp.relay.exporting import ATTRIBUTES, LIBRARY, OTHER, ContentFreeExporter
from verilabel.gateway.mcp.relay.telemetry import Traceparent, start_export

HTTP = {"listen": {"transport": "http", "port": 0}}
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "sesame-77"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@contextmanager
def collecting(monkeypatch: pytest.MonkeyPatch, status: int = 200, **variables: str) -> Iterator[Receiver]:
    """An endpoint that gateways which are started now send to, soon after each call."""
    with otlp_receiver(status) as receiver:
        monkeypatch.setenv(ENDPOINT, receiver.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield receiver


async def call(path: Path, *calls: tuple[str, dict[str, Any]], meta: Any = None) -> list[str]:
    """Start a gateway over HTTP, make calls with one key, end it; the answers' texts."""
    token = make_key(path, "agent")
    with running_mcp_gateway(path) as gateway:
        async with gateway.client(token) as client:
            return [text_of(await client.call_tool(name, given, meta=meta)) for name, given in calls]


async def test_a_call_is_a_request_with_a_decision_and_a_forwarded_call_below_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting(monkeypatch) as receiver:
        assert ["sent to x"] == await call(world.write(**HTTP), ("mail__send", {"to": "x"}))
        (request,) = receiver.spans_named("tools/call mail__send")
        (decision,) = receiver.spans_named("run_guardrail verilabel.policy")
        (forwarded,) = receiver.spans_named("execute_tool send")
        (sent,) = receiver.spans_named("MCP send tools/call send")
    begun, ended = world.trail()
    found = attributes(request)
    assert {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "mail__send",
        "mcp.protocol.version": "2026-07-28",
        "jsonrpc.request.id": found["jsonrpc.request.id"],
        "verilabel.tool": "mail/send",
        "verilabel.call.id": begun["id"],
        "verilabel.outcome": "answered",
    } == found
    assert (request.span_id, request.span_id, forwarded.span_id) == (
        decision.parent_span_id,
        forwarded.parent_span_id,
        sent.parent_span_id,
    )
    assert {
        "verilabel.verdict": "allow",
        "verilabel.policy": begun["policy"],
        "verilabel.rules": begun["tool"]["rules"],
        "verilabel.session": begun["tool"]["session"],
        "verilabel.args.hmac": begun["tool"]["arguments"],
    } == attributes(decision)
    assert {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "send",
        "verilabel.server": "mail",
        "verilabel.containment": "C0",
    } == attributes(forwarded)
    ids = (request.trace_id.hex(), request.span_id.hex())
    assert [ids, ids] == [(line["trace"], line["span"]) for line in (begun, ended)]
    assert {"verilabel-mcp-gateway"} == {each["service.name"] for each in receiver.resources}


async def test_a_denied_call_has_no_forwarded_one_and_says_by_which_rule(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.write(policy={"flows": [{**FLOW, "then": "deny"}]}, **HTTP)
    with collecting(monkeypatch) as receiver:
        await call(path, ("mail__read", {}), ("mail__send", {"to": "x"}))
        (request,) = receiver.spans_named("tools/call mail__send")
        decisions = [attributes(s) for s in receiver.spans_named("run_guardrail verilabel.policy")]
        assert [] == receiver.spans_named("execute_tool send")
    assert ["allow", "deny"] == [found["verilabel.verdict"] for found in decisions]
    assert ["no-exfil"] == decisions[1]["verilabel.rules"]
    assert (2, "tool_error", "refused", "policy") == (
        request.status.code,
        *(attributes(request)[n] for n in ("error.type", "verilabel.outcome", "verilabel.code")),
    )
    assert not any(name.startswith("gen_ai.guardrail") for found in decisions for name in found)


async def test_a_held_call_names_its_approval_and_the_draft_names_come_where_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.write(policy={"tools": [{"match": "mail/send", "action": "ask"}]}, **HTTP)
    with collecting(monkeypatch, VERILABEL_SEMCONV="genai-draft-427") as receiver:
        (held,) = await call(path, ("mail__send", {"to": "x"}))
        (approval,) = receiver.spans_named("verilabel.approval")
        (decision,) = map(attributes, receiver.spans_named("run_guardrail verilabel.policy"))
    assert attributes(approval)["verilabel.approval"] in held
    assert ("run_guardrail", "verilabel.policy", "tool_call", "escalate", "escalate") == (
        decision["gen_ai.operation.name"],
        *(decision[f"gen_ai.guardrail.{n}"] for n in ("component.name", "target.type", "verdict.type")),
        decision["gen_ai.guardrail.action.type"],
    )
    assert decision["verilabel.args.hmac"] == decision["gen_ai.guardrail.security.content.input.hash"]
    assert decision["verilabel.policy"] == decision["gen_ai.guardrail.security.policy.id"]


async def test_no_argument_result_prompt_or_name_that_an_agent_made_up_leaves_the_machine(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = '{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"SECRET"}}'.replace("SECRET", SECRET)
    world.script("mail", calls={"read": {"returns": f"{SECRET} result"}, "send": {"raw": failure}})
    path = world.write(user_prompt="client", keep_content=True, **HTTP)
    meta = {
        "traceparent": CALLER,
        "tracestate": f"k={SECRET}",
        "baggage": f"k={SECRET}",
        "verilabel/userPrompt": f"{SECRET} prompt",
    }
    calls = [
        ("mail__read", {"a": SECRET}),
        ("mail__send", {"to": SECRET, SECRET: SECRET}),
        (f"mail__{SECRET}", {}),
        (SECRET, {"to": SECRET}),
    ]
    with collecting(monkeypatch) as receiver:
        answers = await call(path, *calls, meta=meta)
        assert 2 == len(receiver.spans_named("tools/call"))
        (sent,) = receiver.spans_named("MCP send tools/call send")
        (request,) = receiver.spans_named("tools/call mail__send")
        assert not receiver.holds(SECRET)
    assert f"{SECRET} result" == answers[0]
    assert any(SECRET in json.dumps(line) for line in world.trail())
    # the caller's trace is continued, and handed on without what the client wrote beside it
    assert (CALLER[3:35], CALLER[36:52]) == (request.trace_id.hex(), request.parent_span_id.hex())
    arrived = world.forwarded()[1]["_meta"]
    assert f"00-{CALLER[3:35]}-{sent.span_id.hex()}-01" == arrived["traceparent"]
    assert SECRET not in json.dumps(arrived)


async def test_resources_and_prompts_are_decided_in_spans_and_named_once_they_were_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = {"uri": f"mail://{SECRET}", "name": "inbox"}
    world.script("mail", resources=[resource], prompts=[{"name": "sum"}])
    rules = [{"match": "mail/resources/read"}, {"match": "mail/prompts/get", "emits": ["untrusted"]}]
    path = world.write(policy={"tools": rules}, **HTTP)
    token = make_key(path, "agent")
    with collecting(monkeypatch) as receiver, running_mcp_gateway(path) as gateway:
        async with gateway.client(token) as client:
            await client.read_resource(f"mail://{SECRET}")
            await client.get_prompt("mail__sum", {"about": SECRET})
            with suppress(MCPError):
                await client.get_prompt(SECRET)
        receiver.wait_until(lambda r: len(r.spans_named("prompts/get")) == 1)
        requests = [
            *receiver.spans_named("resources/read"),
            *receiver.spans_named("prompts/get mail__sum"),
        ]
        decisions = receiver.spans_named("run_guardrail verilabel.policy")
        assert [r.span_id for r in requests] == [d.parent_span_id for d in decisions]
        assert ["mail/resources/read", "mail/prompts/get"] == [
            attributes(r)["verilabel.tool"] for r in requests
        ]
        assert not receiver.holds(SECRET)


async def test_without_an_endpoint_no_exporter_is_there_and_records_name_the_callers_trace(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ENDPOINT, raising=False)
    path = world.write(**HTTP)
    token = make_key(path, "agent")
    with running_mcp_gateway(path) as gateway:
        async with gateway.client(token) as client:
            for meta in ({"traceparent": CALLER, "tracestate": f"k={SECRET}"}, None):
                await client.call_tool("mail__send", {"to": "x"}, meta=meta)
    traces = [(line.get("trace"), line.get("span")) for line in world.trail() if line["event"] == "begun"]
    assert [(CALLER[3:35], CALLER[36:52]), (None, None)] == traces
    assert SECRET not in json.dumps(world.forwarded())


async def test_on_stdio_nothing_but_the_protocol_is_written_and_what_is_left_is_sent_at_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.write()
    with collecting(monkeypatch, OTEL_BSP_SCHEDULE_DELAY="600000", OTEL_SERVICE_NAME="desk") as receiver:
        command = ["-m", "verilabel", "mcp", "gateway", "--policy", str(path)]
        parameters = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))
        async with Client(stdio_client(parameters), cache=None) as client:
            assert "sent to x" == text_of(await client.call_tool("mail__send", {"to": "x"}))
            assert [] == receiver.spans
        receiver.wait_until(lambda r: len(r.spans_named("tools/call mail__send")) == 1)
        assert {"desk"} == {each["service.name"] for each in receiver.resources}


def test_on_stdio_an_endpoint_that_takes_nothing_is_complained_of_on_standard_error_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    initialize = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    ]
    command = [sys.executable, "-m", "verilabel", "mcp", "gateway", "--policy", str(world.write())]
    with (
        collecting(monkeypatch, 401) as receiver,
        subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True) as gateway,
    ):
        assert gateway.stdin is not None and gateway.stdout is not None and gateway.stderr is not None
        for message in messages:
            gateway.stdin.write(json.dumps(message) + "\n")
        gateway.stdin.flush()
        answers = [json.loads(gateway.stdout.readline()) for _ in range(2)]
        receiver.wait_until(lambda r: r.tries > 0)
        gateway.stdin.close()
        assert ([1, 2], "") == (sorted(answer["id"] for answer in answers), gateway.stdout.read())
        assert "Failed to export" in gateway.stderr.read()


async def test_over_http_what_is_left_is_sent_when_the_gateway_is_told_to_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.write(**HTTP)
    with collecting(monkeypatch, OTEL_BSP_SCHEDULE_DELAY="600000") as receiver:
        token = make_key(path, "agent")
        with running_mcp_gateway(path) as gateway:
            async with gateway.client(token) as client:
                await client.call_tool("mail__send", {"to": "x"})
            assert [] == receiver.spans
            gateway.process.terminate()
            assert -signal.SIGTERM == gateway.process.wait(20)
        assert 1 == len(receiver.spans_named("tools/call mail__send"))
    (trail,) = (world.folder / "audit").glob("*.jsonl")
    assert "closed" == json.loads(trail.read_text().splitlines()[-1])["kind"]


async def test_an_endpoint_that_takes_nothing_costs_no_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting(monkeypatch, 401) as receiver:
        answers = await call(world.write(**HTTP), *(("mail__send", {"to": str(n)}) for n in range(20)))
        assert [f"sent to {n}" for n in range(20)] == answers
        assert receiver.tries > 0


def test_a_gateway_that_sends_nothing_loads_no_exporter() -> None:
    code = """
import sys
import verilabel.gateway.mcp.running
from verilabel.gateway.mcp.relay.telemetry import start_export
start_export({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://h"}, "s")()
start_export({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://h"}, "s")()
start_export({}, "s")()
print(sorted(m for m in sys.modules if m.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n" == run.stdout


@pytest.mark.parametrize(
    "endpoint", ["collector:4318", "file:///etc/passwd", "http://", "https://u:secret@h", "http://h?k=secret"]
)
def test_an_endpoint_that_is_none_or_holds_secrets_ends_the_start(endpoint: str) -> None:
    with pytest.raises(UsageError) as caught:
        start_export({ENDPOINT: endpoint}, "s")
    assert (ENDPOINT, False) == (caught.value.where, "secret@" in str(caught.value))


@given(st.one_of(st.text(max_size=600), st.integers(), st.lists(st.text(max_size=60)), st.none()))
def test_whatever_a_client_writes_for_a_trace_is_read_or_left(value: Any) -> None:
    context = Traceparent().extract({"traceparent": value, "tracestate": "k=v"})
    carrier: dict[str, str] = {}
    Traceparent().inject(carrier, context)
    assert carrier in ({}, {"traceparent": value})


@given(
    name=st.text(max_size=40),
    given_=st.dictionaries(
        st.sampled_from([*ATTRIBUTES, "gen_ai.tool.call.arguments", "exception.message"]),
        st.text(max_size=400),
        max_size=8,
    ),
)
def test_a_span_of_the_library_says_nothing_but_what_is_named(name: str, given_: dict[str, str]) -> None:
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(ContentFreeExporter(memory)))
    tracer = provider.get_tracer(LIBRARY)
    with tracer.start_as_current_span(
        f"tools/call {name}", context=Context(), kind=SpanKind.SERVER, attributes=given_
    ) as span:
        span.record_exception(ValueError(SECRET))
    (sent,) = memory.get_finished_spans()
    assert (0, 0, None) == (len(sent.events), len(sent.links), sent.status.description)
    assert set(sent.attributes or {}) <= {*ATTRIBUTES}
    is_known = "verilabel.tool" in given_
    assert is_known or not {"gen_ai.tool.name", "gen_ai.prompt.name"} & set(sent.attributes or {})
    assert is_known or sent.name == (sent.attributes or {}).get("mcp.method.name")
    assert (sent.attributes or {})["mcp.method.name"] in (OTHER, given_.get("mcp.method.name"))
    assert all(len(str(value)) <= 256 for value in (sent.attributes or {}).values())


def test_spans_of_other_libraries_in_the_process_are_not_sent() -> None:
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(ContentFreeExporter(memory)))
    with provider.get_tracer("httpx").start_as_current_span(f"GET /{SECRET}"):
        pass
    assert () == memory.get_finished_spans()


def test_the_page_names_every_attribute() -> None:
    page = Path(__file__).resolve().parents[4] / "docs" / "agent-telemetry.md"
    text = page.read_text(encoding="utf-8")
    assert [] == [name for name in ATTRIBUTES if f"| `{name}` |" not in text]
