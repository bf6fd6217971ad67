"""The documents of a bundle as a page names them: system, rubric, plan, suites, detectors."""

from __future__ import annotations

from typing import Any

from verilabel.errors import VerilabelError
from verilabel.evidence.container import Container
from verilabel.evidence.layout import suite_files
from verilabel.evidence.reading import read_document
from verilabel.records.plan import Plan, StreamPlan
from verilabel.records.score import DetectorCard, ErrorCounts
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.records.system import SystemDescriptor
from verilabel.report.view import (
    DetectorView,
    ErrorView,
    PlanView,
    RubricView,
    SuiteView,
    SystemView,
)
from verilabel.report.walking import Walk
from verilabel.rubric.structure import Rubric, plain
from verilabel.statistics.exact import clopper_pearson


def describe_system(system: SystemDescriptor) -> SystemView:
    """The descriptor: its name, digest and every key that is set."""
    document = system.document()
    named = ("format", "name", "provider_model", "identity")
    facts = [(key, _say_value(value)) for key, value in document.items() if key not in named]
    present = {key for key, _ in facts}
    defaults = ("use_case", "locale", "modality")
    facts += [(key, str(getattr(system, key))) for key in defaults if key not in present]
    return SystemView(
        name=system.name,
        provider_model=system.provider_model,
        sha256=system.digest,
        identity=system.identity,
        facts=tuple(facts),
    )


def _say_value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} = {item}" for key, item in value.items())
    return str(value)


def describe_rubric(rubric: Rubric) -> RubricView:
    """The rubric with its stewards and sources."""
    return RubricView(
        id=rubric.id,
        version=rubric.version,
        sha256=rubric.sha256,
        title=rubric.title,
        license=rubric.license,
        stewards=tuple(steward.name for steward in rubric.stewards),
        sources=tuple(
            f"{source.id}{' ' + source.version if source.version else ''}"
            f"{' (' + source.relation.replace('_', ' ') + ')' if source.relation else ''}: {source.uri}"
            for source in rubric.sources
        ),
        is_interpretation=any(source.relation == "interpretation" for source in rubric.sources),
        alpha=plain(rubric.statistics.alpha),
        bind=tuple(rubric.scope.bind),
    )


def describe_plan(plan: Plan) -> PlanView:
    """The plan's own facts."""
    limits = {"requests": plan.budget.requests, "tokens": plan.budget.tokens, "US dollars": plan.budget.usd}
    budget = ", ".join(f"{value} {name}" for name, value in limits.items() if value is not None)
    return PlanView(
        sha256=plan.digest,
        created=plan.created,
        design=plan.design,
        seed=plan.seed,
        order=plan.order,
        max_attempts=plan.max_attempts,
        fixed_outcomes=plan.fixed_outcomes,
        budget=budget or "no limit",
    )


def describe_suites(container: Container, plan: Plan, walk: Walk | None) -> tuple[SuiteView, ...]:
    """The suites of the plan, with licence and source as their files in the bundle give them."""
    answered = {s.stream.suite: s.consumed for s in walk.recount.streams} if walk else {}
    return tuple(_describe_suite(container, stream, answered.get(stream.suite, 0)) for stream in plan.streams)


def _describe_suite(container: Container, stream: StreamPlan, answered: int) -> SuiteView:
    manifest = _read_suite_file(container, stream.suite)
    source = manifest.get("source")
    origin: dict[str, Any] = source if isinstance(source, dict) else {}
    return SuiteView(
        name=stream.suite,
        sha256=stream.suite_sha256,
        samples=stream.samples,
        allowed=stream.limit,
        answered=answered,
        epochs=stream.epochs,
        title=_text(manifest, "title"),
        license=_text(manifest, "license"),
        citation=_text(origin, "citation"),
        uri=_text(origin, "uri"),
    )


def _read_suite_file(container: Container, suite: str) -> dict[str, Any]:
    path, _ = suite_files(suite)
    try:
        document = load_strict_yaml(read_document(container, path), where=path)
    except VerilabelError:
        return {}  # shown as not stated; that the file is the planned one is the verifier's step 6
    return document if isinstance(document, dict) else {}


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def describe_detectors(plan: Plan) -> tuple[DetectorView, ...]:
    """The detectors' cards, every measurement of their error with intervals."""
    return tuple(_describe_detector(card) for card in plan.detectors)


def _describe_detector(card: DetectorCard) -> DetectorView:
    pooled = card.pooled()
    return DetectorView(
        name=card.name,
        event=card.event,
        sha256=card.sha256,
        exact=card.exact,
        errors=tuple(_describe_errors(errors) for errors in card.errors),
        pooled=_describe_errors(pooled) if pooled is not None and len(card.errors) > 1 else None,
    )


def _describe_errors(errors: ErrorCounts) -> ErrorView:
    return ErrorView(
        dataset=errors.dataset,
        dataset_sha256=errors.dataset_sha256,
        language=errors.language,
        method=errors.method,
        true_positives=errors.true_positives,
        positives=errors.positives,
        sensitivity=_interval(errors.true_positives, errors.positives),
        true_negatives=errors.true_negatives,
        negatives=errors.negatives,
        specificity=_interval(errors.true_negatives, errors.negatives),
    )


def _interval(hits: int, of: int) -> tuple[float, float] | None:
    return clopper_pearson(hits, of) if of and 0 <= hits <= of else None
