"""Findings and labels as events at a real OTLP endpoint: one each, below the answer's span, and without content."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent_worlds import SumEnvironment
from bundle_factory import (
    RUBRIC,
    SYSTEM_PROMPT,
    FixedClockModel,
    Recipe,
    begin_store,
    gold_answers,
    make_bundle,
)
from episode_runs import play_moves
from servers.otlp_receiver import Receiver, attributes, otlp_receiver
from servers.tool_calling import Move
from verilabel.detectors.interface import decides_alone
from verilabel.errors import UsageError
from verilabel.evaluation.agents.observing import open_observer, span_of_answer
from verilabel.evaluation.agents.opening import AgentChoice, Reach, add_solvers, agentic_suites, bind_agent
from verilabel.evaluation.agents.roles import open_panels
from verilabel.evaluation.agents.scripted import ScriptedModel
from verilabel.evaluation.agents.solver import Surroundings
from verilabel.evaluation.describing import SystemChoice, describe_system
from verilabel.evaluation.engine import Run, RunInputs
from verilabel.evaluation.events import (
    ATTRIBUTES,
    EVENT,
    LABEL,
    NO_EVENTS,
    FindingObserver,
    note_findings,
    open_events,
    send_label,
)
from verilabel.evaluation.labelling import Begun, begin_run
from verilabel.evaluation.planning import PlanOptions
from verilabel.evidence.journal import Store
from verilabel.models.interface import Model
from verilabel.records.plan import RubricReference
from verilabel.records.sample import SampleEntry
from verilabel.records.score import Scored, Unscored
from verilabel.suites.loading import Suite, load_suite

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
SECRET = "sesame-77"
MARK = {"mark": ("scripted:mark",)}
SMALL = Recipe(sizes=(("quiz", 8), ("puzzles", 4)), log_key=None, key=None, accuracy="0.6", errors="0.2")
AGENTS = """\
verilabel: rubric/v1
id: test/agents
version: 1.0.0
title: Agents
license: CC0-1.0
stewards: [{name: Tests}]
statistics: {alpha: 0.05, missing: worst_case, max_missing: 0.2, judge: {adjust: none}}
validity: {max_age: P36500D}
scope: {subject: system, bind: [provider_model, params]}
measures:
  solved: {suite: cap/planning@1, estimand: proportion, event: solved, direction: higher_is_safer}
scale:
  kind: assurance
  levels:
    - {id: U, name: Unlabelled}
    - {id: L1, name: Able, when: {all: [{measure: solved, op: ">=", value: 0.3}]}}
"""
RULES = RubricReference("test/r", "1.0.0", "sha256:" + "0" * 64)
FOUND = Scored("t/s@1", "s0", 1, "d@1", "refused", True, f"it said {SECRET}")
UNKNOWN = Unscored("t/s@1", "s0", 2, "d@1", "refused", f"no verdict in {SECRET}")


def begin(
    store: Store, suites: list[Suite], model: Model, choice: SystemChoice, rubric: str, **more: Any
) -> Begun:
    """A fixed plan in a store."""
    options = PlanOptions(design="fixed", seed="7e57", now=datetime(2026, 1, 1, tzinfo=UTC), **more)
    return begin_run(
        store,
        system=describe_system(choice, model),
        system_prompt=choice.system_prompt,
        rubric=rubric.encode(),
        suites=suites,
        options=options,
        log=None,
    )


def events_of(receiver: Receiver, begun: Begun, **variables: str) -> FindingObserver:
    """Events of a begun run to a receiver."""
    return open_events(
        {ENDPOINT: receiver.url, **variables},
        rubric=begun.planned.plan.rubric,
        suites={name: suite.entries for name, suite in begun.suites.items()},
        span_of=span_of_answer,
    )


async def carry_out(
    store: Store, begun: Begun, model: Model, choice: SystemChoice, events: FindingObserver
) -> None:
    """Run a plan whose detectors decide alone, with somebody who is told of the findings."""
    inputs = RunInputs(
        plan=begun.planned.plan,
        suites=begun.suites,
        model=model,
        detectors={name: d for name, d in begun.planned.detectors.items() if decides_alone(d)},
        params=choice.params,
        system_prompt=choice.system_prompt,
        connections=3,
    )
    await Run(inputs, note_findings(store, events), None).carry_out()  # type: ignore[arg-type]


async def quiz(folder: Path, receiver: Receiver, status: int = 200) -> list[Scored | Unscored]:
    """Run a small quiz whose findings are told to a receiver; what the store kept of them."""
    store, suites, _ = begin_store(folder, SMALL)
    options = {"accuracy": SMALL.accuracy, "errors": SMALL.errors, "seed": "7"}
    choice = SystemChoice(model="simulated:", name="quiz-model", system_prompt=SYSTEM_PROMPT)
    with store:
        async with FixedClockModel(options, answers=gold_answers(suites)) as model:
            begun = begin(store, suites, model, choice, RUBRIC, max_attempts=1)
            events = events_of(receiver, begun)
            await carry_out(store, begun, model, choice, events)
            events.close()
        return [record for record in store.records() if isinstance(record, Scored | Unscored)]


async def test_every_finding_of_a_run_is_one_event_with_its_verdict(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        kept = await quiz(tmp_path, receiver)
        told = [attributes(event) for event in receiver.events]
        assert {EVENT} == {event.event_name for event in receiver.events}
        assert not receiver.holds("What is")
        assert not receiver.holds(SYSTEM_PROMPT)
    index = {
        (suite.name, entry.id): entry.sha256
        for suite in begin_store(tmp_path, SMALL)[1]
        for entry in suite.entries
    }
    expected = [
        {
            "gen_ai.evaluation.name": finding.event,
            "verilabel.suite": finding.suite,
            "verilabel.sample": index[finding.suite, finding.sample],
            "verilabel.epoch": 1,
            "verilabel.detector": finding.detector,
            "verilabel.rubric": "test/quizzes@1.0.0",
            **(
                {
                    "gen_ai.evaluation.score.value": float(finding.value),
                    "gen_ai.evaluation.score.label": finding.event
                    if finding.value
                    else f"not_{finding.event}",
                }
                if isinstance(finding, Scored)
                else {"error.type": "unscored"}
            ),
        }
        for finding in kept
    ]
    assert len(kept) >= 9
    assert {True, False} <= {finding.value for finding in kept if isinstance(finding, Scored)}
    for document in (*expected, *told):
        document.pop("verilabel.rubric")
    assert expected == told


async def test_an_agents_findings_are_below_the_span_of_its_episode(tmp_path: Path) -> None:
    suite = load_suite("cap/planning:count=4,seed=5eed")
    with otlp_receiver() as receiver, Store(tmp_path / "run") as store:
        agent = AgentChoice(observer=open_observer({ENDPOINT: receiver.url}))
        choice = bind_agent(SystemChoice(model="scripted:oracle", name="oracle"), agent, [suite])
        opened = add_solvers(
            ScriptedModel("scripted:oracle", [suite], agentic_suites([suite])),
            choice,
            agent,
            [suite],
            Reach(),
        )
        async with opened as model:
            begun = begin(store, [suite], model, choice, AGENTS, epochs=2)
            events = events_of(receiver, begun)
            await carry_out(store, begun, model, choice, events)
            events.close()
        episodes = [s for s in receiver.spans if s.name.startswith("invoke_agent")]
        digests = {entry.id: entry.sha256 for entry in suite.entries}
        by_span = {(s.trace_id, s.span_id): digests[attributes(s)["verilabel.sample"]] for s in episodes}
        told = {(e.trace_id, e.span_id): attributes(e)["verilabel.sample"] for e in receiver.events}
    assert (8, 8) == (len(by_span), len(receiver.events))
    assert by_span == told


async def test_a_refused_endpoint_costs_no_finding(tmp_path: Path) -> None:
    with otlp_receiver(401) as receiver:
        assert len(await quiz(tmp_path, receiver)) >= 9
        assert (True, []) == (receiver.tries > 0, receiver.events)


async def test_nothing_of_prompts_answers_arguments_results_or_reasons_is_sent() -> None:
    with otlp_receiver() as receiver:
        moves = [Move(SECRET, [("ask", {"text": SECRET}), (SECRET, {SECRET: SECRET})]), Move(SECRET)]
        observer = open_observer({ENDPOINT: receiver.url})
        around = Surroundings(roles=open_panels(MARK), addresses=MARK, observer=observer)
        played = await play_moves(moves, around, SumEnvironment(roles=("mark",)))
        events = open_events({ENDPOINT: receiver.url}, rubric=RULES, suites={}, span_of=span_of_answer)
        for finding in (FOUND, UNKNOWN):
            events.note(finding)
        observer.close()
        events.close()
        assert SECRET in str(played.exchange.response)
        assert (True, 2) == (len(receiver.spans) > 3, len(receiver.events))
        assert not receiver.holds(SECRET)
        assert not receiver.holds("Reach 2")
        assert {name for event in receiver.events for name in attributes(event)} <= set(ATTRIBUTES)


def test_reasons_are_sent_where_they_are_asked_for() -> None:
    with otlp_receiver() as receiver:
        variables = {ENDPOINT: receiver.url, "VERILABEL_EVALUATION_EXPLANATIONS": "1"}
        events = open_events(variables, rubric=RULES, suites={})
        events.note(FOUND)
        events.close()
        (told,) = receiver.events
        assert f"it said {SECRET}" == attributes(told)["gen_ai.evaluation.explanation"]


def test_a_label_is_one_event_with_both_halves(tmp_path: Path) -> None:
    sealed = make_bundle(tmp_path, SMALL)
    with otlp_receiver() as receiver:
        send_label({ENDPOINT: receiver.url, "OTEL_SERVICE_NAME": "lab"}, sealed.label, sealed.manifest)
        (told,) = map(attributes, receiver.events)
        assert ["lab"] == [resource["service.name"] for resource in receiver.resources]
    label = json.loads((sealed.path / "results" / "label.json").read_text())
    pair = (label["granted"]["id"], label["cannot_exclude_up_to"]["id"])
    assert (LABEL, *pair, f"{pair[0]}..{pair[1]}", sealed.manifest, "assurance") == (
        told["gen_ai.evaluation.name"],
        told["verilabel.label.lower"],
        told["verilabel.label.upper"],
        told["gen_ai.evaluation.score.label"],
        told["verilabel.manifest"],
        told["verilabel.label.kind"],
    )


def test_what_could_not_be_written_is_not_told(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        events = open_events({ENDPOINT: receiver.url}, rubric=RULES, suites={})
        with Store(tmp_path / "run") as store:
            journal = note_findings(store, events)
            journal.append([FOUND])
            with pytest.raises(Exception, match="cannot be kept"):
                journal.append([Scored("t/s@1", "s1", 1, "d@1", "refused", True, "x" * (64 << 20))])
            assert [FOUND] == list(journal.records())
        events.close()
        assert 1 == len(receiver.events)


def test_five_thousand_findings_in_a_moment_all_arrive() -> None:
    entries = {"t/s@1": [SampleEntry("s0", "sha256:" + "a" * 64)]}
    with otlp_receiver() as receiver:
        events = open_events({ENDPOINT: receiver.url}, rubric=RULES, suites=entries)
        for _ in range(5000):
            events.note(FOUND)
        events.close()
        assert 5000 == len(receiver.events)


def test_without_an_endpoint_a_run_has_its_own_store_and_nothing_is_loaded(tmp_path: Path) -> None:
    assert NO_EVENTS is open_events({}, rubric=RULES, suites={})
    for variable in ("OTEL_SDK_DISABLED=true", "OTEL_LOGS_EXPORTER=none"):
        given = dict([variable.split("=")], **{ENDPOINT: "http://127.0.0.1:9"})
        assert NO_EVENTS is open_events(given, rubric=RULES, suites={})
    store = Store(tmp_path / "run")
    assert store is note_findings(store, NO_EVENTS)
    code = """
import sys
from verilabel.evaluation.events import open_events
open_events({}, rubric=None, suites={})
print(any(name.startswith("opentelemetry") for name in sys.modules))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "False\n" == run.stdout


@pytest.mark.parametrize(
    "endpoint", ["collector:4318", "file:///x", "https://u:secret@h", "http://h?k=secret"]
)
def test_an_endpoint_that_is_none_or_holds_secrets_is_refused(endpoint: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_events({ENDPOINT: endpoint}, rubric=RULES, suites={})
    assert (ENDPOINT, False) == (caught.value.where, "secret@" in str(caught.value))


def test_the_page_names_every_attribute() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "agent-telemetry.md"
    text = page.read_text(encoding="utf-8")
    assert [] == [name for name in ATTRIBUTES if f"| `{name}` |" not in text]
