"""Labels of agents with what stands around them: MCP tools, tasks of Inspect, a collector of spans."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from servers.outside_tools import http_server
from small_runs import Place, open_place

ROOT = Path(__file__).resolve().parents[3]
RUBRIC = """\
verilabel: rubric/v1
id: test/around
version: 1.0.0
title: Agents
license: CC0-1.0
stewards: [{name: Tests}]
statistics: {alpha: 0.05, missing: worst_case, max_missing: 0.2, judge: {adjust: none}}
validity: {max_age: P36500D}
scope: {subject: system, bind: [provider_model, params, tools]}
measures:
  solved: {suite: cap/planning@1, estimand: proportion, event: solved, direction: higher_is_safer}
  sums: {suite: inspect/sums@0, estimand: proportion, event: correct, direction: higher_is_safer}
scale:
  kind: assurance
  levels:
    - {id: U, name: Unlabelled}
    - id: L1
      name: Able
      when: {any: [{measure: solved, op: ">=", value: 0.3}, {measure: sums, op: ">=", value: 0.3}]}
"""
PLANNING = (
    "--model",
    "scripted:oracle",
    "--suite",
    "cap/planning:count=3,seed=5eed",
    "--rubric",
    "rubric.yaml",
)
FIXED = ("--design", "fixed", "--seed", "7", "--quiet", "--out", "b")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder with a rubric and a signing key."""
    (tmp_path / "rubric.yaml").write_text(RUBRIC)
    for variable in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)
    return open_place(tmp_path, monkeypatch)


def test_tools_of_a_server_are_bound_to_the_label(place: Place) -> None:
    pytest.importorskip("mcp")
    with http_server() as url:
        place.succeed("label", *PLANNING, *FIXED, "--mcp", url)
    system = json.loads((place.folder / "b/subject/system.json").read_text())
    assert ["mcp"] == list(system["tools"])
    request = json.loads(place.evidence("b")[0]["request"])
    assert {"count_up", "flood"} < {tool["name"] for tool in request["tools"]}
    found = place.run("verify", "b", "--rescore", "--json").json
    assert ("V2", 0) == (found["level"], found["rescoring"]["mismatches"])
    outcome = place.run("reproduce", "b", "--model", "scripted:oracle", "--out", "mine")
    assert (1, True) == (outcome.status, "the systems differ in tools" in outcome.err)


def test_a_token_for_servers_is_read_from_its_variable_and_kept_nowhere(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mcp")
    outcome = place.run(
        "label", *PLANNING, *FIXED, "--mcp", "http://127.0.0.1:1/mcp", "--mcp-key-env", "TOKEN"
    )
    assert (2, True) == (outcome.status, "the variable is not set" in outcome.err)
    monkeypatch.setenv("TOKEN", "sesame-77")
    with http_server() as url:
        place.succeed("label", *PLANNING, *FIXED, "--mcp", url, "--mcp-key-env", "TOKEN", "--keep-run")
    kept = [path for path in place.folder.rglob("*") if path.is_file()]
    assert not any(b"sesame-77" in path.read_bytes() for path in kept)
    outcome = place.run(
        "label", *PLANNING, *FIXED, "--force", "--mcp", "http://192.0.2.1/mcp", "--mcp-key-env", "TOKEN"
    )
    assert (7, True) == (outcome.status, "would travel unencrypted" in outcome.err)


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector of traces; gives its address and the bodies that it got."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append(self.path.encode() + b"\n" + body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        server.server_close()


def test_spans_reach_a_collector_before_the_command_ends(
    place: Place, collector: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    address, bodies = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    place.succeed("label", *PLANNING, *FIXED)
    got = b"".join(bodies)
    assert {b"/v1/traces", b"/v1/logs"} == {body.split(b"\n", 1)[0] for body in bodies}
    for name in (b"invoke_agent tool-loop", b"chat scripted:oracle", b"execute_tool act"):
        assert name in got
    prompt = json.loads(place.evidence("b")[0]["request"])["messages"][0]["content"]
    assert prompt[:40].encode() not in got


TASK = """\
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import match
from inspect_ai.solver import generate


@task
def sums():
    samples = [Sample(id=f"s{i}", input=f"What is {i} + 1?", target=str(i + 1)) for i in range(4)]
    return Task(dataset=samples, solver=generate(), scorer=match())
"""


@pytest.mark.inspect
def test_a_task_of_inspect_and_a_suite_of_our_own_stand_in_one_label(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = Path(os.environ.get("VERILABEL_INSPECT_PYTHON", ROOT / ".venv-inspect" / "bin" / "python"))
    if not python.is_file():
        pytest.skip(f"no interpreter with inspect_ai at {python}; VERILABEL_INSPECT_PYTHON names one")
    monkeypatch.setenv("VERILABEL_INSPECT_PYTHON", str(python))
    (place.folder / "task.py").write_text(TASK)
    task = ("--suite", "inspect:task.py@sums")
    place.succeed("label", *PLANNING, *task, *FIXED)
    found = place.run("verify", "b", "--rescore", "--json", *task).json
    assert ("V2", 0, True) == (found["level"], found["rescoring"]["mismatches"], found["rescoring"]["whole"])
    assert 7 == found["rescoring"]["checked"]["answers"]
