"""The path of one label, step by step (DESIGN.md section 4), over a store that any step can be continued from.

1. describe   `describing.describe_system`
2. plan       `begin_run`: the plan is made, kept and logged before the first request
3. run        `open_run`: every attempt becomes a record
4. score      within the run, or later by `score_answers`
5. decide     `count_answers`: what the store holds, counted in the committed order
6. label      `evidence.sealing` decides it from the sealed evidence
7. seal       `evidence.sealing.seal_bundle`
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from verilabel.detectors.interface import AskingDetector, Detector, asks_a_model, decides_alone
from verilabel.errors import MalformedInput, Undetermined, UsageError
from verilabel.evaluation.engine import Judge, Run, RunInputs
from verilabel.evaluation.events import NO_EVENTS, FindingObserver, note_findings
from verilabel.evaluation.ledger import read_ledger
from verilabel.evaluation.planning import Planned, PlanOptions, make_plan
from verilabel.evaluation.schedule import OpenMeasures, Schedule
from verilabel.evaluation.spending import Prices
from verilabel.evidence.counting import Recount, encode_index, open_recount, parse_index
from verilabel.evidence.journal import Store
from verilabel.evidence.layout import (
    CONTAINMENT,
    GIVEN,
    LOG_KEY,
    PLAN,
    RUBRIC,
    SYSTEM,
    SYSTEM_PROMPT,
    suite_files,
)
from verilabel.evidence.log import Log
from verilabel.evidence.others.given import (
    finding_of,
    is_audit,
    objection_to_audit,
    objection_to_finding,
    parse_given,
    path_of,
    sort_given,
)
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.sealing import log_plan
from verilabel.models.address import open_model
from verilabel.models.interface import Model
from verilabel.records.canonical import parse_json
from verilabel.records.plan import Budget, Plan
from verilabel.records.sample import SampleEntry
from verilabel.records.system import Scalar, SystemDescriptor
from verilabel.rubric.decider import Decider
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import Rubric
from verilabel.suites.loading import Suite


@dataclass(frozen=True)
class Begun:
    """A store that is ready to run."""

    planned: Planned
    suites: Mapping[str, Suite]
    """`id@version` to the suite."""


def begin_run(
    store: Store,
    *,
    system: SystemDescriptor,
    system_prompt: str | None,
    rubric: bytes,
    suites: Sequence[Suite],
    options: PlanOptions,
    log: Log | None,
    given: Sequence[Signed] = (),
    containment: bytes | None = None,
) -> Begun:
    """Step 2: plan, keep the inputs, log the plan. On a store that was begun, continue under its seed and date.

    `given` are signed findings that the label may lean on, `containment` is the attestation of the sandbox that agents'
    programs run in. Raises UsageError where the store was begun with other
    inputs, its plan was logged in another log, or a finding does not count.
    """
    now = options.now
    check_log(store, log)
    if not store.has_document(PLAN) and next(store.records(), None) is not None:
        raise UsageError(
            "this store holds answers, and not the plan that they were asked by",
            where=str(store.folder),
            hint="remove the folder: a plan that is made now would come after its answers",
        )
    if store.has_document(PLAN):
        kept = read_plan(store)
        options = replace(
            options, seed=kept.seed, now=datetime.fromisoformat(kept.created), budget=kept.budget
        )
    planned = make_plan(system, load_rubric(rubric, RUBRIC), suites, options)
    require_counting(given, load_rubric(rubric, RUBRIC), system.digest, now)
    store.put_document(SYSTEM, system.bytes())
    if system_prompt is not None:
        store.put_document(SYSTEM_PROMPT, system_prompt.encode("utf-8"))
    if containment is not None:
        store.put_document(CONTAINMENT, containment)
    store.put_document(RUBRIC, rubric)
    for suite in suites:
        manifest_path, index_path = suite_files(suite.name)
        store.put_document(manifest_path, suite.content)
        store.put_document(index_path, encode_index(suite.entries))
    store.put_document(PLAN, planned.plan.bytes())
    keep_given(store, given)
    if log is not None:
        log_plan(store, planned.plan, log)
    return Begun(planned, {suite.name: suite for suite in suites})


def require_counting(
    given: Sequence[Signed], rubric: Rubric, system_sha256: str, moment: datetime
) -> tuple[str, ...]:
    """The names of findings that a label may lean on.

    Raises UsageError for one that does not count at `moment`, for two of one name, and for an audit that says nothing
    of the system.
    """
    for audit in filter(is_audit, given):
        if (why := objection_to_audit(audit, system_sha256, moment)) is not None:
            raise UsageError(f"the audit does not count: {why}", where="--attestation")
    findings = [signed for signed in given if not is_audit(signed)]
    names = [finding_of(signed, signed.file_name).name for signed in findings]
    for name, signed in zip(names, findings, strict=True):
        if (why := objection_to_finding(signed, rubric, system_sha256, moment)) is not None:
            raise UsageError(f"the finding {name!r} does not count: {why}", where="--attestation")
        if names.count(name) > 1:
            raise UsageError(f"two findings are called {name!r}", where="--attestation")
    return tuple(sorted(names))


def keep_given(store: Store, given: Sequence[Signed]) -> None:
    """Keep signed findings and audits among a run's inputs, which the bundle encloses.

    Raises UsageError where another is kept.
    """
    for signed in given:
        store.put_document(path_of(signed), signed.data)


def read_given_names(store: Store) -> tuple[str, ...]:
    """The names of the findings that a run's label leans on; whether each still counts is checked when it is sealed."""
    paths = [path for path in store.document_paths() if path.startswith(GIVEN)]
    given = sort_given([parse_given(path, store.document(path)) for path in paths])
    return tuple(sorted(given.findings))


def check_log(store: Store, log: Log | None) -> None:
    """Check that a label would be logged where its plan was. Raises UsageError where that is another log."""
    if log is None or not store.has_document(LOG_KEY):
        return
    if store.document(LOG_KEY) != log.public_key.file_bytes():
        raise UsageError(
            "the plan of this run was logged in another log",
            where=str(store.folder),
            hint="name the log that the run was begun with: --log DIR",
        )


def read_plan(store: Store) -> Plan:
    """The plan that a store was begun with."""
    data = store.document(PLAN)
    try:
        return msgspec.convert(parse_json(data, where=PLAN), Plan)
    except msgspec.ValidationError as error:
        raise MalformedInput(str(error), where=str(store.folder / PLAN)) from error


def open_measures_of(rubric: bytes, plan: Plan, attested: Collection[str] = ()) -> OpenMeasures | None:
    """For an anytime plan, what says which measures can still change the label; None for a fixed plan.

    `attested` names the findings that the label leans on.
    """
    if plan.design == "fixed":
        return None
    return Decider(
        load_rubric(rubric, RUBRIC), plan.design, attested=attested, references=plan.reference_tallies()
    ).open_measures


@asynccontextmanager
async def open_run(
    store: Store,
    begun: Begun,
    model: Model,
    *,
    params: Mapping[str, Scalar],
    system_prompt: str | None,
    connections: int,
    prices: Prices | None = None,
    budget: Budget | None = None,
    judge_key_env: str | None = None,
    findings: FindingObserver = NO_EVENTS,
) -> AsyncIterator[Run]:
    """Steps 3 and 4, made ready: a run of the plan with an opened model; `carry_out` runs it.

    The judges' models are open while the block lasts.
    """
    plan = begun.planned.plan
    async with AsyncExitStack() as stack:
        detectors: dict[str, Detector] = {}
        judges: dict[str, Judge] = {}
        for name, detector in begun.planned.detectors.items():
            if asks_a_model(detector):
                judges[name] = await _open_judge(stack, detector, judge_key_env)
            elif decides_alone(detector):
                detectors[name] = detector
        inputs = RunInputs(
            plan=plan,
            suites=begun.suites,
            model=model,
            detectors=detectors,
            params=params,
            system_prompt=system_prompt,
            judges=judges,
            connections=connections,
            prices=prices,
            budget=budget,
        )
        yield Run(
            inputs,
            note_findings(store, findings),
            open_measures_of(store.document(RUBRIC), plan, attested=read_given_names(store)),
        )


async def _open_judge(stack: AsyncExitStack, detector: AskingDetector, key_env: str | None) -> Judge:
    model = open_model(detector.model, base_url=detector.base_url, key_env=key_env)
    return Judge(detector, await stack.enter_async_context(model))


def count_answers(store: Store) -> Recount:
    """Step 5: count what a store holds, in the committed order, stopping where an answer is not there yet."""
    plan = read_plan(store)
    indexes: dict[str, list[SampleEntry]] = {}
    for planned in plan.streams:
        _, path = suite_files(planned.suite)
        indexes[planned.suite] = parse_index(store.document(path), path)
    counted = open_recount(plan, indexes)
    open_measures = open_measures_of(store.document(RUBRIC), plan, attested=read_given_names(store))
    schedule = Schedule(counted, open_measures=open_measures, window=1)
    known = read_ledger(store.records()).known
    while (work := schedule.next_work()) is not None:
        stream = counted.streams[work.stream]
        sample, epoch = stream.at(work.position)
        answer = known.get((stream.stream.suite, sample, epoch))
        if answer is None or not answer.is_settled(plan.max_attempts):
            break
        if answer.output is not None and not set(stream.stream.detectors) <= set(answer.findings):
            break
        schedule.deliver(work, answer.findings if answer.output is not None else {})
    return counted


def require_complete(plan: Plan, counted: Recount) -> None:
    """Refuse to label a fixed plan that was not carried out: its n was to be fixed in advance.

    Raises Undetermined naming what is missing.
    """
    if plan.design == "anytime":
        if not any(stream.consumed for stream in counted.streams):
            raise Undetermined("no answer has been counted", hint="`verilabel run` continues this store")
        return
    for stream in counted.streams:
        if stream.consumed < stream.length:
            raise Undetermined(
                f"the fixed plan asks {stream.length} answers of {stream.stream.suite}, {stream.consumed} are there",
                hint="run the same command again to continue; raise --budget if it ran out",
            )


def score_answers(store: Store, detectors: Mapping[str, Detector], suites: Mapping[str, Suite]) -> int:
    """Step 4 alone: score kept answers that lack a finding of the plan's detectors; return how many findings were made.

    Raises UsageError before anything is scored where an answer lacks the finding of a detector that is not given.
    """
    plan = read_plan(store)
    ledger = read_ledger(store.records())
    streams = {stream.suite: stream for stream in plan.streams}
    lacking = [
        (key, known.output, name)
        for key, known in ledger.known.items()
        if known.output is not None
        for name in streams[key[0]].detectors
        if name not in known.findings
    ]
    if strange := next((name for *_, name in lacking if name not in detectors), None):
        raise UsageError(
            f"answers lack the score of {strange}, which asks a model or is not among this program's detectors",
            hint="`verilabel run`, with the options that the store was begun with, scores them",
        )
    samples = {name: {sample.id: sample for sample in suites[name].samples} for name in streams}
    for (suite, sample_id, epoch), output, name in lacking:
        store.append([detectors[name].detect(suite, samples[suite][sample_id], epoch, output)])
    return len(lacking)
