"""From an evidenced import to a run's store, which `verilabel decide` seals like any other.

1. each chosen measure of the rubric gets the score of the records that stands for its event
2. the questions become a suite, or are found in one
3. the plan: fixed design, every sample, the scores' own detector cards, and where the answers were imported from
4. the store: inputs, the plan (logged, where there is a log), then every answer with its scores
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from verilabel.errors import CheckFailed, SealError, UsageError
from verilabel.evidence.counting import encode_index, matches
from verilabel.evidence.journal import Store
from verilabel.evidence.layout import PLAN, RUBRIC, SYSTEM, SYSTEM_PROMPT, suite_files
from verilabel.evidence.lines import Line
from verilabel.evidence.log import Log
from verilabel.evidence.plan_checks import check_against_rubric, suite_is_meant
from verilabel.evidence.sealing import log_plan
from verilabel.interchange.importing.judging import Judgement
from verilabel.interchange.importing.run import ImportedRecord, ImportedRun, RecordedScore
from verilabel.interchange.importing.suite import Answers, make_suite, match_suite
from verilabel.records.attempt import Attempt, Failure, Usage, body_fields
from verilabel.records.canonical import digest, jcs
from verilabel.records.plan import ImportedFrom, MeasurePlan, Plan, StreamPlan
from verilabel.records.score import DetectorCard, Scored, Unscored
from verilabel.records.system import SystemDescriptor
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import DETECTOR_OF_EVENT, Measure, Rubric
from verilabel.suites.loading import Suite

INVERTED = "not:"
"""Before a score's name: its 0 stands for the event."""
_NOT_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class StoreRequest:
    """What the caller chooses for a label of imported answers."""

    rubric: bytes
    measures: Mapping[str, str]
    """Measure of the rubric to the score that stands for its event; `not:` before it where 0 does."""
    seed: str
    now: datetime
    suite: Suite | None = None
    """A suite that the prompts are of; None: one is made from the records."""
    log: Log | None = None
    model: str | None = None
    """The model, where the log does not name it."""
    use_case: str = "general-chat"
    locale: str = "en-US"


@dataclass(frozen=True)
class _Finder:
    """What finds a measure's event: a score of the records, under a detector's card."""

    card: DetectorCard
    key: str
    is_inverted: bool


def write_store(judgement: Judgement, request: StoreRequest, folder: Path) -> Plan:
    """Write `store/`, and `suite/` where one is made, into a folder that is not there yet.

    Raises CheckFailed where the records do not evidence what is claimed or cannot make a label, UsageError for a
    measure or score that is not there.
    """
    require_evidence(judgement)
    rubric = load_rubric(request.rubric, RUBRIC)
    finders = _choose_finders(judgement, rubric, request)
    run = judgement.run
    made = make_suite(run, folder / "suite") if request.suite is None else match_suite(run, request.suite)
    system = _describe(run, request, made.system_prompt)
    plan = _make_plan(run, rubric, made, finders, system, request)
    try:
        check_against_rubric(plan, rubric, system)
    except SealError as error:
        raise CheckFailed(f"no label can be made: {error.message}", where=error.where) from error
    with Store(folder / "store") as store:
        store.put_document(SYSTEM, system.bytes())
        if made.system_prompt is not None:
            store.put_document(SYSTEM_PROMPT, made.system_prompt.encode("utf-8"))
        store.put_document(RUBRIC, request.rubric)
        manifest, index = suite_files(made.suite.name)
        store.put_document(manifest, made.suite.content)
        store.put_document(index, encode_index(made.suite.entries))
        store.put_document(PLAN, plan.bytes())
        if request.log is not None:
            log_plan(store, plan, request.log)
        for lines in _answers(made, list(finders.values()), system):
            store.append(lines)
        store.sync()
    return plan


def require_evidence(judgement: Judgement) -> None:
    """Refuse to label what is only claimed. Raises CheckFailed with all reasons."""
    if not judgement.evidenced:
        raise CheckFailed(
            "the log is claimed, not evidenced, and cannot become a label: " + "; ".join(judgement.reasons),
            where=judgement.run.files[0].name,
        )


# -- scores and measures -----------------------------------------------------------------------------------------


def _choose_finders(judgement: Judgement, rubric: Rubric, request: StoreRequest) -> dict[str, _Finder]:
    if not request.measures:
        raise UsageError(
            "which score stands for which measure of the rubric?",
            hint=f"--measure MEASURE=SCORE; measures: {', '.join(rubric.measures)}; "
            f"scores: {', '.join(_score_keys(judgement.run)[:20])}",
        )
    finders: dict[str, _Finder] = {}
    names: dict[str, DetectorCard] = {}
    for measure_id, chosen in request.measures.items():
        if measure_id not in rubric.measures:
            raise UsageError(
                f"{rubric.name} has no measure {measure_id!r}", hint=f"it has {', '.join(rubric.measures)}"
            )
        is_inverted = chosen.startswith(INVERTED)
        key = _resolve_key(judgement, chosen.removeprefix(INVERTED))
        card = _card(judgement.run, key, is_inverted, rubric.measures[measure_id].detected_event)
        if names.setdefault(card.name, card) != card:
            raise UsageError(f"two measures would count {key!r} in two ways", where=f"--measure {measure_id}")
        finders[measure_id] = _Finder(card, key, is_inverted)
    return finders


def _score_keys(run: ImportedRun) -> list[str]:
    return list(dict.fromkeys(key for record in run.records for key in record.scores))


def _resolve_key(judgement: Judgement, name: str) -> str:
    """The score that a name means: a score's own, or that of a headline. It must have been confirmed and be 0 or 1."""
    run = judgement.run
    keys = _score_keys(run)
    of_claims = {m.key for m in run.metrics if name in (m.name, m.label)} & set(keys)
    if name not in keys and len(of_claims) != 1:
        raise UsageError(f"no score {name!r}", hint=f"the records have {', '.join(keys[:20])}")
    key = name if name in keys else of_claims.pop()
    confirmed = (f.metric for f in judgement.findings if f.verdict == "agrees" and f.metric.is_headline)
    if not any(metric.key == key for metric in confirmed):
        raise CheckFailed(f"no headline made from {key!r} was given again by the records")
    for record in run.records:
        score = record.scores.get(key)
        if score is not None and score.number not in (0, 1, None):
            raise CheckFailed(
                f"a rate needs scores of 0 and 1: sample {record.id[:80]!r} has {score.raw} for {key!r}"
            )
    return key


def _card(run: ImportedRun, key: str, is_inverted: bool, event: str) -> DetectorCard:
    slug = _NOT_NAME.sub("-", key.lower()).strip("-") or "score"
    rules = {
        "tool": run.tool,
        "tool_version": run.tool_version,
        "score": key,
        "event": event,
        "event_is": "0" if is_inverted else "1",
    }
    return DetectorCard(
        id=f"imported-{run.tool}-{slug}" + ("-inverted" if is_inverted else ""),
        version="1.0.0",
        event=event,
        sha256=digest(jcs(rules)),
        exact=key.partition(",")[0] in _exact_keys(run) and event not in DETECTOR_OF_EVENT,
    )


def _exact_keys(run: ImportedRun) -> frozenset[str]:
    return run.exact_scorers | {key.partition(",")[0] for key in run.exact_scorers}


# -- the plan ----------------------------------------------------------------------------------------------------


def _model_of(run: ImportedRun, given: str | None) -> str:
    """The one model that answered: the log's own word, or the caller's where the log has none."""
    named = run.model
    if run.tool in ("promptfoo", "moonshot"):  # one log, several models
        models = sorted({record.model for record in run.records if record.model})
        if len(models) > 1:
            raise CheckFailed(
                f"the answers are of {len(models)} models: {', '.join(models[:6])}",
                hint="--group chooses the records of one",
            )
        named = models[0] if models else named
    if named and given is not None and given != named:
        raise UsageError(f"the log names another model: {named[:120]!r}", where=f"--model {given}")
    if not (named or given):
        raise CheckFailed("the log does not name the model", hint="--model NAME says which it was")
    return named or given or ""


def _task_of(run: ImportedRun) -> str:
    """The task; where a part of its data set was taken as a suite of its own, with how large a part."""
    size = sum(count.count for count in run.counts if count.kind == "dataset")
    held = len({(record.group, record.id) for record in run.records})
    return f"{run.task} ({held} of {size} samples)" if held < size else run.task


def _describe(run: ImportedRun, request: StoreRequest, system_prompt: str | None) -> SystemDescriptor:
    named = _model_of(run, request.model)
    return SystemDescriptor(
        name=named,
        provider_model=named,
        identity="recorded",
        params={key: value for key, value in sorted(run.params.items()) if key != "epochs"},
        system_prompt=None if system_prompt is None else digest(system_prompt.encode("utf-8")),
        use_case=request.use_case,
        locale=request.locale,
    )


def _make_plan(
    run: ImportedRun,
    rubric: Rubric,
    made: Answers,
    finders: Mapping[str, _Finder],
    system: SystemDescriptor,
    request: StoreRequest,
) -> Plan:
    suite = made.suite
    cards = {finder.card.name: finder.card for finder in finders.values()}
    return Plan(
        system_sha256=system.digest,
        rubric=rubric.reference,
        design="fixed",
        seed=request.seed,
        streams=(
            StreamPlan(
                suite=suite.name,
                suite_sha256=suite.digest,
                index_sha256=digest(encode_index(suite.entries)),
                samples=len(suite.samples),
                limit=len(suite.samples),
                detectors=tuple(cards),
                epochs=made.epochs,
                strata=dict(suite.strata),
            ),
        ),
        measures=tuple(
            _plan_measure(measure_id, rubric.measures[measure_id], suite, finder.card)
            for measure_id, finder in finders.items()
        ),
        detectors=tuple(cards[name] for name in sorted(cards)),
        max_attempts=1,
        created=request.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        imported=ImportedFrom(
            tool=run.tool,
            tool_version=run.tool_version,
            files={file.name: file.sha256 for file in run.files},
            task=_task_of(run),
            created=run.created,
        ),
    )


def _plan_measure(measure_id: str, measure: Measure, suite: Suite, card: DetectorCard) -> MeasurePlan:
    if not suite_is_meant(measure.suite, suite.name):
        raise UsageError(
            f"{measure_id} is measured on {measure.suite}, and these answers are of {suite.name}",
            hint="a rubric names the suite that its thresholds are for; --suite finds the prompts in another",
        )
    if measure.elicitation:
        raise CheckFailed(f"{measure_id} is counted once for each of several settings, a log has one")
    samples = sum(matches(entry, measure.filter) for entry in suite.entries)
    if not samples:
        raise CheckFailed(f"no sample of {suite.name} matches the filter of {measure_id}")
    return MeasurePlan(
        id=measure_id,
        suite=suite.name,
        event=card.event,
        detector=card.name,
        unit=measure.unit,
        population=measure.population,
        where=measure.filter,
        collapse=measure.collapse,
        negate=measure.negate,
        samples=samples,
        language=suite.manifest.language,
    )


# -- the journal -------------------------------------------------------------------------------------------------


def _answers(made: Answers, finders: Sequence[_Finder], system: SystemDescriptor) -> Iterator[list[Line]]:
    """The lines of each answer: what was asked and came back, then each score."""
    for sample in made.suite.samples:
        for epoch, record in enumerate(made.records[sample.id], 1):
            lines: list[Line] = [_attempt(made.suite.name, sample.id, epoch, record, system)]
            if record.error is None:
                lines += [_score(made.suite.name, sample.id, epoch, record, finder) for finder in finders]
            yield lines


def _attempt(
    suite: str, sample: str, epoch: int, record: ImportedRecord, system: SystemDescriptor
) -> Attempt:
    request = {
        "messages": [{"role": role, "content": text} for role, text in record.messages],
        "model": system.provider_model,
        "params": dict(system.params),
    }
    is_missing = record.error is not None
    return Attempt(
        suite=suite,
        sample=sample,
        epoch=epoch,
        attempt=1,
        request=jcs(request).decode(),
        output=None if is_missing else record.output,
        finish=record.finish,
        served_model=record.model or None,
        usage=None if record.usage is None else Usage(*record.usage),
        failure=Failure("missing", (record.error or "")[:1000]) if is_missing else None,
        **body_fields(record.response.encode("utf-8")),  # type: ignore[arg-type]
    )


def _score(suite: str, sample: str, epoch: int, record: ImportedRecord, finder: _Finder) -> Scored | Unscored:
    missing = RecordedScore("", None, "the record has no such score")
    score = record.scores.get(finder.key, missing)
    card = finder.card
    if score.number is None:
        return Unscored(suite, sample, epoch, card.name, card.event, score.reason or "no number")
    value = (score.number == 0) if finder.is_inverted else (score.number == 1)
    return Scored(suite, sample, epoch, card.name, card.event, value, f"the log has {score.raw[:60]}")
