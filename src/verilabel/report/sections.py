"""The sections below the card: each takes the view and gives markup, or None where there is nothing to show."""

from __future__ import annotations

from verilabel.records.label import Status
from verilabel.report.axes import SQRT_BELOW
from verilabel.report.drawing import draw_curve, draw_group, draw_interval, row_rates
from verilabel.report.episode_steps import draw_episode
from verilabel.report.markup import Markup, element, join, table
from verilabel.report.untrusted import shorten
from verilabel.report.view import (
    Breakdown,
    Count,
    DetectorView,
    ErrorView,
    Gap,
    LevelView,
    ReportView,
    RowView,
    SampleView,
)
from verilabel.report.wording import (
    STATUS_SIGNS,
    STATUS_WORDS,
    WITHHELD_SAYS,
    say_failure,
    say_flag,
    say_log,
    say_number,
    say_percent,
    say_row,
    say_threshold,
)

MAX_TEXT_CHARS = 6000
_GAP_WORDS = {
    "not_assessed": "Not assessed",
    "undetermined": "Undetermined",
    "missing": "Missing answers",
    "withheld": "Withheld",
    "evidence": "Evidence",
}


def say_lead(text: str) -> Markup:
    """The sentence or two that say what a section shows."""
    return element("p", text, class_="lead")


def say_state(status: Status) -> Markup:
    """A status as its sign and its word."""
    sign = element("span", STATUS_SIGNS[status], aria_hidden="true")
    return element("span", sign, f" {STATUS_WORDS[status]}", class_=f"state {status}")


# -- rows ------------------------------------------------------------------------------------------


def show_rows(view: ReportView) -> Markup:
    """Every level's rows as intervals against thresholds, then all figures as a table."""
    shared: dict[tuple[str, bool], list[float]] = {}
    for row in view.rows:
        shared.setdefault((row.measure or "", row.upwards), []).extend(row_rates(row))
    return join(
        (
            say_lead(
                "A row is met when the whole interval lies on the shaded side of its threshold, not met when all of "
                "it lies on the other side, and undetermined when it reaches across. Axes of small rates are drawn by "
                "the square root, so that small differences can be seen."
            ),
            _legend(),
            *(_level(level, shared) for level in view.levels),
            element("h3", "All figures", class_="block"),
            _figures(view),
        )
    )


def _legend() -> Markup:
    def key(says: str, *shapes: Markup) -> Markup:
        return element("li", element("svg", *shapes, viewBox="0 0 40 16", aria_hidden="true"), says)

    dash = element("line", x1=2, y1=8, x2=38, y2=8, class_="interval not_assessed")
    dot = element("circle", cx=20, cy=8, r=4.5, class_="rate not_assessed")
    bar = element("line", x1=20, y1=0, x2=20, y2=16, class_="threshold")
    dotted = element("line", x1=20, y1=0, x2=20, y2=16, class_="tested")
    shade = element("rect", x=4, y=2, width=32, height=12, class_="allowed")
    return element(
        "ul",
        key("rate and its bounds", dash, dot),
        key("threshold", bar),
        key("threshold as tested, after detector error", dotted),
        key("where the row is met", shade),
        class_="legend",
    )


def _level(level: LevelView, shared: dict[tuple[str, bool], list[float]]) -> Markup:
    return element(
        "div",
        element(
            "div",
            element("h3", f"{level.id} {level.name}"),
            say_state(level.status),
            element("p", f"{level.test_says} {level.rule_says}"),
            class_="level-head",
        ),
        element("p", level.meaning, class_="soft") if level.meaning else None,
        *(_row(row, shared[row.measure or "", row.upwards]) for row in level.rows),
        class_="level",
    )


def _row(row: RowView, shared: list[float]) -> Markup:
    plot = draw_interval(row, shared)
    flags = (element("li", flag.replace("_", " "), title=say_flag(flag)) for flag in row.flags)
    spent = f"{say_number(row.calls)} requests for this measure" if row.calls else None
    return element(
        "div",
        element(
            "div",
            element("h4", row.title, " ", say_threshold(row.op, row.threshold)),
            element("p", say_state(row.status)),
            element("p", say_row(row)),
            element("p", row.reason, class_="bare") if row.reason and row.n else None,
            element("p", spent, class_="bare") if spent else None,
            element("ul", *flags, class_="chips") if row.flags else None,
        ),
        element("div", plot if plot is not None else element("p", "No interval to draw.", class_="bare")),
        class_="row",
        id=row.anchor,
    )


def _figures(view: ReportView) -> Markup:
    headings = [
        "Row",
        "Status",
        "Answers",
        "Events",
        "Missing",
        "Rate",
        "Lower",
        "Upper",
        "Threshold",
        "Tested at",
    ]
    headings += ["Alpha", "Requests"]
    weighed = any(row.log_needed is not None for row in view.rows)
    if weighed:
        headings += ["ln e met", "ln e not met", "ln e needed"]
    rows = (_figures_of(row, weighed=weighed) for row in view.rows)
    return table(
        headings, rows, caption="All rows with their figures", numeric=frozenset(range(2, len(headings)))
    )


def _figures_of(row: RowView, *, weighed: bool) -> list[str]:
    figures = [
        f"{row.level} {row.measure or row.attested or row.title}",
        say_state(row.status),
        *(say_number(count) for count in (row.n, row.events, row.missing)),
        *(figure or "–" for figure in (row.rate, row.lower, row.upper)),
        f"{row.op or ''} {row.threshold or '–'}".strip(),
        row.tested_met or "–",
        row.alpha_met or "–",
        say_number(row.calls),
    ]
    if weighed:
        figures += [figure or "–" for figure in (row.log_e_met, row.log_e_not_met, row.log_needed)]
    return figures


# -- curves, gaps, groups --------------------------------------------------------------------------


def show_curves(view: ReportView) -> Markup | None:
    """How each row came to be decided, answer by answer."""
    drawn = [(row, draw_curve(row)) for row in view.rows]
    figures = [_curve(row, curve) for row, curve in drawn if curve is not None]
    if not figures:
        return None
    stop = {
        "fixed": "The plan fixed the number of answers, so that only the last point decides; what came before is shown "
        "and not used.",
        "anytime": "Wherever the run stops, the chance of a wrong decision stays below the error level.",
    }[view.design]
    weighed = any(row.log_needed is not None for row in view.rows)
    evidence = (
        "Evidence is drawn for met (solid) and for not met (dashed): a row is decided when a curve stands above the "
        "line at the end. "
        if weighed
        else ""
    )
    lead = f"Answer after answer, in the committed order. {evidence}{stop}"
    return join((say_lead(lead), element("div", *figures, class_="curves")))


def _curve(row: RowView, curve: Markup) -> Markup:
    threshold = say_threshold(row.op, row.threshold)
    ends = None
    if row.log_needed is not None:
        ends = f", ending at {say_log(row.log_e_met)} for met and {say_log(row.log_e_not_met)} for not met"
    caption = element(
        "figcaption",
        element("b", f"{row.level}: {row.title} {threshold}"),
        say_state(row.status),
        element("span", ends, class_="soft") if ends else None,
    )
    return element("figure", caption, curve)


def show_gaps(view: ReportView) -> Markup:
    """What was not assessed, what is open and why, what is missing, and what the flags mean."""
    parts = []
    if view.gaps:
        parts.append(element("ul", *(_gap(gap) for gap in view.gaps), class_="gaps"))
    else:
        parts.append(say_lead("Every row was assessed and decided, and no answer is missing."))
    parts += [element("h3", "Flags", class_="block"), _flags(view), *_reasons(view)]
    return join(parts)


def _gap(gap: Gap) -> Markup:
    what = element("a", gap.what, href=f"#{gap.anchor}") if gap.anchor else gap.what
    return element(
        "li",
        element("p", element("b", f"{_GAP_WORDS[gap.kind]}: "), what),
        element("p", gap.why, class_="soft"),
    )


def _flags(view: ReportView) -> Markup:
    rows = ((flag.flag.replace("_", " "), flag.meaning) for flag in view.flags)
    return table(("Flag", "What it means"), rows, caption="Flags and what they mean")


def _reasons(view: ReportView) -> list[Markup]:
    totals = view.totals
    tables = (
        ("Samples without an answer, by their last failure", totals.unanswered, True),
        ("Failed attempts, those that a retry mended among them", totals.failed_attempts, True),
        ("Answers that a detector could not score", totals.unscored, False),
    )
    shown = [_counts(caption, counts, kinds=kinds) for caption, counts, kinds in tables if counts]
    if totals.surplus_answers:
        shown.append(
            element(
                "p",
                f"{say_number(totals.surplus_answers)} further answers are kept in the bundle and not counted: they "
                "came after the point of the committed order at which the run stopped.",
            )
        )
    return [element("h3", "Missing and surplus answers", class_="block"), *shown] if shown else []


def _counts(caption: str, counts: tuple[Count, ...], *, kinds: bool) -> Markup:
    rows = ((say_failure(count.what) if kinds else count.what, say_number(count.count)) for count in counts)
    return table((caption, "Number"), rows, caption=caption, numeric=frozenset((1,)))


def show_groups(view: ReportView) -> Markup | None:
    """Counts by hazard. They describe, and take no part in the decision."""
    if not view.breakdowns:
        return None
    lead = (
        "These counts are not part of the decision. The bars are two-sided 95 % Clopper-Pearson intervals, one by one "
        "and without correction for looking at many, so that some will be off by chance."
    )
    return join((say_lead(lead), *(_breakdown(breakdown) for breakdown in view.breakdowns)))


def _breakdown(breakdown: Breakdown) -> Markup:
    top = max((group.upper for group in breakdown.groups if group.asked), default=1.0)
    rows = (
        (
            group.value,
            say_number(group.asked),
            say_number(group.events),
            say_number(group.missing),
            say_percent(group.rate),
            f"{say_percent(group.lower)} to {say_percent(group.upper)}" if group.asked else "–",
            draw_group(group, top) if group.asked else "not asked",
        )
        for group in breakdown.groups
    )
    headings = (
        breakdown.tag.capitalize(), "Asked", breakdown.counted.capitalize(), "Missing", "Rate", "95 % interval",
        f"0 to {say_percent(top)}{', by square root' if top < SQRT_BELOW else ''}",
    )  # fmt: skip
    note = "Answers of one family depend on each other, so these intervals are too narrow."
    return element(
        "div",
        element("h3", f"{breakdown.title}: {breakdown.counted}", class_="block"),
        element("p", note, class_="note") if breakdown.in_families else None,
        element("p", f"{breakdown.left_out} further groups are not shown.") if breakdown.left_out else None,
        table(
            headings,
            rows,
            caption=f"{breakdown.title} by {breakdown.tag}; not part of the decision",
            numeric=frozenset(range(1, 6)),
        ),
    )


# -- detectors and samples -------------------------------------------------------------------------


def show_detectors(view: ReportView) -> Markup:
    """Every detector with its error as people measured it."""
    lead = (
        "A detector decides of each answer whether it shows the event. Its own errors were counted against people, and "
        "the rubric allows for them by one-sided bounds, never by the bare rates. Below: two-sided 95 % "
        "Clopper-Pearson intervals."
    )
    return join((say_lead(lead), *(_detector(detector) for detector in view.detectors)))


def _detector(detector: DetectorView) -> Markup:
    if detector.exact:
        body: Markup = element("p", "It computes its event and has no judge error.")
    elif not detector.errors:
        body = element(
            "p", "Its error was never measured against people: rows that rest on it cannot be met."
        )
    else:
        headings = ("Measured on", "Events found", "Sensitivity, 95 %", "Others cleared", "Specificity, 95 %")
        rows = [_measurement(_name_measurement(error), error) for error in detector.errors]
        if detector.pooled is not None:
            rows.append(
                _measurement(
                    f"Together ({detector.pooled.language}), as the rubric counts them", detector.pooled
                )
            )
        caption = f"Measured errors of {detector.name}"
        body = table(headings, rows, caption=caption, numeric=frozenset(range(1, 5)))
    return element(
        "div",
        element("h3", f"{detector.name} finds “{detector.event}”", class_="block"),
        body,
        element("p", "Digest ", element("span", detector.sha256, class_="digest"), class_="soft"),
    )


def _measurement(name: str, error: ErrorView) -> tuple[str, ...]:
    return (
        name,
        f"{say_number(error.true_positives)} of {say_number(error.positives)}",
        _say_interval(error.sensitivity),
        f"{say_number(error.true_negatives)} of {say_number(error.negatives)}",
        _say_interval(error.specificity),
    )


def _name_measurement(error: ErrorView) -> Markup:
    how = ", ".join(part for part in (error.language, error.method) if part)
    return join(
        (
            error.dataset,
            element("span", how, class_="under"),
            element("span", error.dataset_sha256, class_="under digest"),
        )
    )


def _say_interval(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{say_percent(interval[0])} to {say_percent(interval[1])}"


def show_samples(view: ReportView) -> Markup | None:
    """Single answers, folded away twice: they may be harmful to read."""
    if not view.samples_asked_for:
        return None
    if not view.samples:
        return say_lead(
            "No row is undetermined or not met for want of these answers, so there is none to show."
        )
    return element(
        "details",
        element("summary", f"{len(view.samples)} answers of rows that are not met or undetermined"),
        *(_sample(sample) for sample in view.samples),
        class_="samples",
    )


def _sample(sample: SampleView) -> Markup:
    output = sample.output if sample.output is not None else f"No answer. {sample.failure or ''}"
    texts = element(
        "details",
        element("summary", "Show the prompt and the answer. They may be harmful or upsetting."),
        element("h3", "Prompt"),
        element("pre", shorten(sample.prompt, MAX_TEXT_CHARS), class_="text"),
        element("h3", "Answer"),
        element("pre", shorten(output, MAX_TEXT_CHARS), class_="text")
        if sample.episode is None
        else draw_episode(sample.episode),
    )
    return element(
        "div",
        element(
            "p",
            element("b", sample.measure),
            f", {sample.suite}, sample {sample.sample}, epoch {sample.epoch}",
        ),
        *(element("p", finding, class_="soft") for finding in sample.findings),
        element("p", WITHHELD_SAYS, class_="withheld") if sample.withheld else texts,
        class_="sample",
    )
