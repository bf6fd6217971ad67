"""From a bundle and what a verifier found of it to the view of a page. Reads the bundle; judges nothing.

1. the verifier's finding, else the bundle's own documents, give label, system and plan
2. one walk over the evidence gives curves, groups, calls, reasons and samples
3. the rubric's own rule gives what undecided rows would take
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from verilabel.errors import MalformedInput, VerilabelError
from verilabel.evidence.container import Container
from verilabel.evidence.envelope import open_envelope
from verilabel.evidence.keys import parse_public_file
from verilabel.evidence.layout import ATTESTATION, RUBRIC, SIGNER_KEY, SURPLUS
from verilabel.evidence.lines import BundleLine, decode_lines
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.plan_checks import check_against_rubric
from verilabel.evidence.reading import (
    evidence_lines,
    line_blocks,
    read_document,
    read_indexes,
    read_label,
    read_plan,
    read_system,
)
from verilabel.evidence.statement import Statement, parse_statement, write_time
from verilabel.evidence.suite_checks import check_strata
from verilabel.evidence.verification import Verification
from verilabel.records.attempt import Attempt
from verilabel.records.label import Label
from verilabel.records.plan import Plan
from verilabel.records.system import SystemDescriptor
from verilabel.records.withheld import SealedAttempt
from verilabel.report.baselines import Beside, find_beside
from verilabel.report.claimed import check_claimed_label
from verilabel.report.describing import (
    describe_detectors,
    describe_plan,
    describe_rubric,
    describe_suites,
    describe_system,
)
from verilabel.report.grouping import count_groups, list_samples
from verilabel.report.rows import view_levels
from verilabel.report.standing import judge_failure, list_badges, say_validity
from verilabel.report.statements import count_enclosed, list_audits, view_statements
from verilabel.report.view import (
    Count,
    FlagView,
    Gap,
    Half,
    ReportView,
    RowView,
    ScaleLevel,
    SealView,
    ServedView,
    Totals,
)
from verilabel.report.walking import Walk, walk_evidence
from verilabel.report.wording import (
    LEVEL_LIMITS,
    LEVEL_SAYS,
    PAIR_SAYS,
    PLACE_SAYS,
    WITHHELD_GAP_SAYS,
    say_flag,
    say_number,
    say_outlook,
    say_threshold,
)
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import Rubric

MAX_SAMPLES = 200
MAX_KINDS = 50
"""Kinds of failures, reasons or served models that are listed one by one."""


@dataclass(frozen=True)
class _Source:
    """The documents of a bundle, from the verifier where it read them."""

    container: Container
    verification: Verification
    label: Label
    system: SystemDescriptor
    plan: Plan
    rubric: Rubric
    statement: Statement | None


def build_view(
    container: Container,
    verification: Verification,
    *,
    bundle: str,
    read_at: datetime,
    samples: int = 0,
    beside: Sequence[Signed] = (),
) -> ReportView:
    """The view of a bundle. `samples` answers of rows that are not met or undecided are kept in it.

    `beside` are the statements of others that the verifier was given beside those in the bundle.

    Raises MalformedInput where label, plan, system or rubric cannot be read even as claims. Where only the evidence
    cannot be walked, the view says so among its gaps and shows the label's own figures.
    """
    source = _read_source(container, verification)
    walk, trouble = _walk(source, min(samples, MAX_SAMPLES))
    levels = view_levels(source.label, source.rubric, walk)
    rows = [row for level in levels for row in level.rows]
    warning, genuine = judge_failure(verification)
    statements = view_statements(container, verification, beside)
    # a validity that was not reached is not printed: the sentence would call it current
    until = verification.valid_until if genuine else None
    shown = msgspec.structs.replace(verification, label=source.label, system=source.system, valid_until=until)
    low_word, high_word = (word if genuine else f"{word} (claimed)" for word in PAIR_SAYS[source.label.kind])
    meaning = {level.id: level.meaning or "" for level in source.rubric.scale.levels}
    label = source.label
    return ReportView(
        bundle=bundle,
        sentence=shown.sentence,
        pair=(
            Half(low_word, label.lower, label.lower_name, meaning.get(label.lower, "")),
            Half(high_word, label.upper, label.upper_name, meaning.get(label.upper, "")),
        ),
        kind=label.kind,
        scale=_place_levels(source),
        level=verification.level_name,
        level_says=LEVEL_SAYS[verification.level],
        level_limit=LEVEL_LIMITS[verification.level],
        reason=verification.reason,
        genuine=genuine,
        warning=warning,
        failure=None if verification.failure is None else str(verification.failure),
        validity=say_validity(verification),
        badges=list_badges(verification, statements),
        statements=statements,
        audits=list_audits(container, verification, beside),
        lacking_for_v4=verification.lacking_for_v4,
        statements_not_judged=0 if statements else count_enclosed(container),
        design=label.design,
        system=describe_system(source.system),
        levels=levels,
        breakdowns=count_groups(walk, source.rubric, source.plan),
        gaps=(*_find_gaps(rows, label.design), *trouble, *_missing_gaps(rows), *_withheld_gaps(walk)),
        flags=tuple(FlagView(flag, say_flag(flag)) for flag in _all_flags(verification, rows)),
        detectors=describe_detectors(source.plan),
        suites=describe_suites(container, source.plan, walk),
        served=_list_served(walk),
        rubric=describe_rubric(source.rubric),
        plan=describe_plan(source.plan),
        seal=_describe_seal(source),
        totals=_total(container, walk),
        steps=verification.steps,
        samples=list_samples(walk, min(samples, MAX_SAMPLES)),
        samples_asked_for=samples,
        read_at=write_time(read_at),
        baselines=find_beside(container) if verification.failure is None else Beside(),
    )


# -- 1: documents ----------------------------------------------------------------------------------


def _read_source(container: Container, verification: Verification) -> _Source:
    label = verification.label or read_label(container)
    rubric = load_rubric(read_document(container, RUBRIC), RUBRIC)
    if rubric.reference != label.rubric:
        raise MalformedInput("the enclosed rubric is not the one that the label names", where=RUBRIC)
    if verification.failure is not None:
        check_claimed_label(label, rubric)
    return _Source(
        container,
        verification,
        label,
        verification.system or read_system(container),
        verification.plan or read_plan(container),
        rubric,
        _read_statement(container),
    )


def _read_statement(container: Container) -> Statement | None:
    """The signed statement, where its signature holds with the key beside it; the verifier says what that is worth."""
    if ATTESTATION not in container.sizes or SIGNER_KEY not in container.sizes:
        return None
    try:
        key = parse_public_file(read_document(container, SIGNER_KEY), where=SIGNER_KEY)
        return parse_statement(open_envelope(read_document(container, ATTESTATION), [key]).payload)
    except VerilabelError:
        return None  # step 3 of the verification has failed and says why


def _walk(source: _Source, samples: int) -> tuple[Walk | None, tuple[Gap, ...]]:
    rows = [row for level in source.label.levels for row in level.rows]
    expected = {row.measure: row.n for row in rows if row.measure}
    wanted = {
        row.measure: row.op in ("<=", "<")
        for row in rows
        if row.measure and row.status in ("not_met", "undetermined")
    }
    try:
        if source.verification.failure is not None:
            check_against_rubric(
                source.plan, source.rubric, source.system
            )  # what it would count by is not known to be sound
        lines = evidence_lines(source.container)
        indexes = read_indexes(source.container, source.plan)
        for stream in source.plan.streams:
            check_strata(stream, indexes[stream.suite])
        return walk_evidence(
            source.plan, indexes, lines, expected=expected, wanted=wanted, samples=samples
        ), ()
    except VerilabelError as error:
        why = f"{error.message} @ {error.where}" if error.where else error.message
        gap = Gap(
            "evidence", "The evidence could not be walked: there are no curves, groups or samples below.", why
        )
        return None, (gap,)


# -- what the label does not say -------------------------------------------------------------------


def _find_gaps(rows: list[RowView], design: str) -> Iterator[Gap]:
    for row in rows:
        what = f"{row.level}: {row.title} {say_threshold(row.op, row.threshold)}".strip()
        if row.status == "not_assessed":
            default = "the attestation was not given" if row.attested else "nothing in this plan measures it"
            yield Gap("not_assessed", what, _sentence(row.reason or default), row.anchor)
        elif row.status == "undetermined":
            outlook = say_outlook(row.outlook, design=design, upwards=row.upwards)
            why = _sentence(row.reason or "the evidence reaches neither side of the threshold")
            yield Gap("undetermined", what, f"{why} {outlook}" if outlook else why, row.anchor)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _missing_gaps(rows: list[RowView]) -> Iterator[Gap]:
    by_measure = {row.measure: row for row in rows if row.measure and row.missing}
    for row in by_measure.values():
        yield Gap(
            "missing",
            f"{row.title}: {row.missing} of {row.n} answers are missing",
            "They count against every claim, in both directions, and never leave the denominator.",
        )


def _withheld_gaps(walk: Walk | None) -> Iterator[Gap]:
    if walk is None:
        return
    for stream in walk.recount.streams:
        suite = stream.stream.suite
        if count := walk.withheld[suite]:
            of = f"{say_number(count)} of {say_number(stream.consumed)}"
            yield Gap("withheld", f"{suite}: {of} answers are withheld", WITHHELD_GAP_SAYS)


def _all_flags(verification: Verification, rows: list[RowView]) -> list[str]:
    label_flags = verification.label.flags if verification.label else ()
    return list(
        dict.fromkeys((*verification.flags, *label_flags, *(flag for row in rows for flag in row.flags)))
    )


def _place_levels(source: _Source) -> tuple[ScaleLevel, ...]:
    label = source.label
    low, high = label.scale.index(label.lower), label.scale.index(label.upper)
    says = PLACE_SAYS[label.kind]
    placed = []
    for index, level in enumerate(source.rubric.scale.levels):
        place = "held" if index <= low else "open" if index <= high else "beyond"
        placed.append(ScaleLevel(level.id, level.name, level.meaning or "", place, says[place]))  # type: ignore[arg-type, index]
    return tuple(placed)


# -- seal and totals -------------------------------------------------------------------------------


def _describe_seal(source: _Source) -> SealView:
    found, statement = source.verification, source.statement
    tool = statement.predicate.tool if statement else None
    return SealView(
        root=found.root,
        leaves=found.leaves,
        signer=found.signer,
        keyid=found.keyid,
        log_index=statement.predicate.plan.log_index if statement else None,
        issued=found.issued,
        valid_until=found.valid_until,
        tool=f"{tool.name} {tool.version}" if tool else None,
    )


def _list_served(walk: Walk | None) -> tuple[ServedView, ...]:
    if walk is None:
        return ()
    ordered = walk.recount.served.most_common()
    rest = sum(answers for _, answers in ordered[MAX_KINDS:])
    shown = [ServedView(model, fingerprint, answers) for (model, fingerprint), answers in ordered[:MAX_KINDS]]
    others = ServedView(f"{len(ordered) - MAX_KINDS} others", "", rest)
    return (*shown, others) if rest else tuple(shown)


def _total(container: Container, walk: Walk | None) -> Totals:
    if walk is None:
        return Totals()
    counts = walk.recount
    return Totals(
        answers=walk.answers,
        requests=counts.requests,
        judge_requests=counts.judge_requests,
        input_tokens=counts.input_tokens,
        output_tokens=counts.output_tokens,
        withheld=_counts(walk.withheld),
        surplus_answers=_count_surplus(container),
        failed_attempts=_counts(counts.failures),
        unanswered=_counts(walk.unanswered),
        unscored=_counts(walk.unscored),
    )


def _count_surplus(container: Container) -> int:
    if SURPLUS not in container.sizes:
        return 0
    count, number = 0, 1
    for block in line_blocks(container, SURPLUS):
        records = decode_lines(block, SURPLUS, number)
        number += len(records)
        count += sum(_is_answer(record) for record in records)
    return count


def _is_answer(record: BundleLine) -> bool:
    if isinstance(record, SealedAttempt):
        return record.judge is None and record.answered
    return isinstance(record, Attempt) and record.judge is None and record.output is not None


def _counts(counter: dict[str, int]) -> tuple[Count, ...]:
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in ordered[MAX_KINDS:])
    shown = [Count(what, count) for what, count in ordered[:MAX_KINDS]]
    return (*shown, Count(f"{len(ordered) - MAX_KINDS} other kinds", rest)) if rest else tuple(shown)
