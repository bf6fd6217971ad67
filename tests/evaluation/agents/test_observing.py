"""Spans of an episode: their names and nesting, their attributes, and that no content is among them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent_worlds import SumEnvironment
from episode_runs import ADD_TWO, play_moves
from servers.tool_calling import Move
from verilabel.errors import UsageError
from verilabel.evaluation.agents.observing import NO_OBSERVER, OtelObserver, open_observer
from verilabel.evaluation.agents.roles import open_panels
from verilabel.evaluation.agents.solver import Surroundings

MARK = {"mark": ("scripted:mark",)}
SECRET = "sesame-77"


@pytest.fixture
def spans() -> Any:
    """An exporter that keeps what it is given."""
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    return memory.InMemorySpanExporter()


async def finished(exporter: Any, moves: list[Move]) -> list[Any]:
    """The spans of one episode, in the order in which they began."""
    observer = OtelObserver(exporter)
    around = Surroundings(roles=open_panels(MARK), addresses=MARK, observer=observer)
    await play_moves(moves, around, SumEnvironment(roles=("mark",)))
    observer._provider.force_flush()
    return sorted(exporter.get_finished_spans(), key=lambda span: span.start_time)


async def test_the_agent_its_questions_and_its_tools_are_spans_under_one(spans: Any) -> None:
    found = await finished(spans, [Move("", [("ask", {"text": "Well?"}), ("rm", {})]), ADD_TWO])
    names = [span.name for span in found]
    assert [
        "invoke_agent tool-loop",
        "chat mark",
        "chat vllm/tool-1",
        "execute_tool ask",
        "chat mark",
        "execute_tool (not offered)",
        "chat vllm/tool-1",
        "execute_tool add",
        "chat mark",
    ] == names
    root = found[0]
    by_id = {span.context.span_id: span.name for span in found}
    parents = [by_id[span.parent.span_id] for span in found[1:]]
    assert "execute_tool ask" == parents[3]
    assert {"invoke_agent tool-loop", "execute_tool ask"} == set(parents)
    assert ("finished", "s0") == (
        root.attributes["verilabel.episode.ending"],
        root.attributes["verilabel.sample"],
    )


async def test_no_text_argument_or_result_stands_in_a_span(spans: Any) -> None:
    moves = [Move(SECRET, [("ask", {"text": SECRET}), (SECRET, {SECRET: SECRET})]), Move(SECRET)]
    found = await finished(spans, moves)
    told = json.dumps([json.loads(span.to_json()) for span in found])
    assert len(found) > 5
    assert SECRET not in told
    assert "Reach 2" not in told


async def test_a_failed_question_is_an_error_without_its_message(spans: Any) -> None:
    raw = json.dumps({"error": {"message": SECRET}}).encode()
    found = await finished(spans, [Move(status=400, raw=raw)])
    failed = [span for span in found if not span.status.is_ok and span.status.status_code.name == "ERROR"]
    assert [("invoke_agent tool-loop", "bad_request"), ("chat vllm/tool-1", "bad_request")] == [
        (span.name, span.attributes["error.type"]) for span in failed
    ]
    assert all(span.status.description is None and not span.events for span in failed)


def test_nobody_observes_where_no_endpoint_is_named() -> None:
    observer = open_observer({})
    assert NO_OBSERVER is observer
    assert observer.observe("a", {}) is observer.observe("b", {"c": 1})


def test_an_endpoint_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="not the address"):
        open_observer({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"})
