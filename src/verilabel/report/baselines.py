"""What stands beside the measures of generated suites: scripted agents' scores, and the environment's own figures.

All of it follows from the bundle: the suite file says the seed, so the scripted agents can be played again, and the
records hold the episodes that figures such as the horizon are made of. A bundle without generated suites has none.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from verilabel.detectors.episode import read_summary
from verilabel.errors import MalformedInput, VerilabelError
from verilabel.evidence.container import Container
from verilabel.evidence.layout import suite_files
from verilabel.evidence.reading import evidence_lines, read_document, read_label, read_plan
from verilabel.records.attempt import Attempt
from verilabel.records.plan import MeasurePlan, Plan
from verilabel.records.withheld import SealedAttempt
from verilabel.suites.baselines import Baselines, play_baselines
from verilabel.suites.generated import environment_of
from verilabel.suites.loading import Suite, load_suite_bytes
from verilabel.suites.worlds.seeded import Judged

MAX_PLAYED = 1_000
"""Samples of a suite beyond which nothing is played: a bundle of a stranger must not keep a reader waiting."""


class MeasureBaseline(msgspec.Struct, frozen=True):
    """A measure on a generated suite, beside what scripted agents score on it. All counts are of what it counts."""

    measure: str
    suite: str
    event: str
    events: int
    answers: int
    scripts: dict[str, tuple[int, int]]
    """Script to events and samples."""


class Beside(msgspec.Struct, frozen=True):
    """All that is said beside a label: baselines by measure, figures by suite, and what could not be said."""

    measures: tuple[MeasureBaseline, ...] = ()
    figures: dict[str, dict[str, str]] = {}
    """Suite to its figures over the recorded answers."""
    remarks: tuple[str, ...] = ()

    @property
    def says_something(self) -> bool:
        """True where the bundle has a generated suite."""
        return bool(self.measures or self.figures or self.remarks)

    @property
    def scripts(self) -> tuple[str, ...]:
        """Every script that some measure stands beside, in order of appearance."""
        return tuple(dict.fromkeys(name for measure in self.measures for name in measure.scripts))


def find_beside(container: Container) -> Beside:
    """What stands beside a verified bundle's label. Raises MalformedInput where the bundle cannot be read."""
    plan = read_plan(container)
    measures: list[MeasureBaseline] = []
    figures: dict[str, dict[str, str]] = {}
    remarks: list[str] = []
    for suite in _generated_suites(container, plan, remarks):
        played = play_baselines(suite)
        rows = _counts_of_rows(container)
        mine = [measure for measure in plan.measures if measure.suite == suite.name]
        measures += [_beside(measure, played, rows.get(measure.id, (0, 0))) for measure in mine]
        figures[suite.name] = _figures_of_answers(container, suite, remarks)
        remarks += [
            f"{suite.name}: for the baselines the role {role!r} was played by a rule, not by a model"
            for role in played.scripted_roles
        ]
    return Beside(tuple(measures), {name: found for name, found in figures.items() if found}, tuple(remarks))


def _generated_suites(container: Container, plan: Plan, remarks: list[str]) -> Iterator[Suite]:
    for stream in plan.streams:
        path, _ = suite_files(stream.suite)
        content = read_document(container, path)
        if b"format: generated" not in content:  # spares every other bundle the reading of suite files
            continue
        try:
            yield load_suite_bytes(content, where=path, max_samples=MAX_PLAYED)
        except VerilabelError as error:
            remarks.append(f"{stream.suite}: no baselines: {error.message}")


def _counts_of_rows(container: Container) -> dict[str, tuple[int, int]]:
    """Measure to the events and answers of its first row."""
    counts: dict[str, tuple[int, int]] = {}
    for level in read_label(container).levels:
        for row in level.rows:
            if row.measure is not None:
                counts.setdefault(row.measure, (row.events, row.n))
    return counts


def _beside(measure: MeasurePlan, played: Baselines, counted: tuple[int, int]) -> MeasureBaseline:
    scripts = {}
    for script in played.findings if measure.event in played.events else ():
        share = played.share(script, measure.event, measure.where)
        events = share.samples - share.events if measure.negate else share.events
        scripts[script] = (events, share.samples)
    event = f"not {measure.event}" if measure.negate else measure.event
    return MeasureBaseline(measure.id, measure.suite, event, *counted, scripts)


def _figures_of_answers(container: Container, suite: Suite, remarks: list[str]) -> dict[str, str]:
    """The environment's figures over the recorded episodes; a repeated sample counts with each of its answers."""
    environment = environment_of(suite.manifest, where=str(suite.path))
    samples = {sample.id: sample for sample in suite.samples}
    judged: list[Judged] = []
    left_out = 0
    for line in evidence_lines(container):
        if isinstance(line, SealedAttempt) and line.suite == suite.name:
            remarks.append(f"{suite.name}: answers are withheld, so there are no figures over them")
            return {}
        if not isinstance(line, Attempt) or line.suite != suite.name or line.judge is not None:
            continue
        if line.output is None or line.sample not in samples:
            continue
        try:
            episode, sample = read_summary(line.output), samples[line.sample]
            judged.append((sample, episode, environment.judge(sample, episode)))
        except MalformedInput:
            left_out += 1
    if left_out:
        remarks.append(f"{suite.name}: {left_out} answers could not be judged and are not in its figures")
    return environment.find_figures(judged)


def show_share(share: tuple[int, int] | None) -> str:
    """Events of samples, or a dash where a script was not played on the suite."""
    return "-" if share is None else f"{share[0]}/{share[1]}"
