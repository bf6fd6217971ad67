"""What a plan names and this program has: its suites, under the same digests, and its detectors, by the same rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from verilabel.detectors.catalogue import open_detector
from verilabel.detectors.interface import AskingDetector, Detector
from verilabel.errors import UsageError, VerilabelError
from verilabel.evaluation.inspect_backend.reference import is_inspect_reference
from verilabel.evidence.container import Container
from verilabel.evidence.layout import suite_files
from verilabel.evidence.reading import read_document
from verilabel.records.canonical import digest
from verilabel.records.plan import Plan
from verilabel.records.score import DetectorCard
from verilabel.rubric.structure import Rubric
from verilabel.suites.loading import Suite, bundled_ids, load_suite, load_suite_bytes

INSPECT_PREFIX = "inspect/"
"""How the names of suites begin that are tasks of Inspect; without the task nobody knows how its record is read."""


def is_task_of_inspect(suite: str) -> bool:
    """True for the name of a suite that is a task of Inspect."""
    return suite.startswith(INSPECT_PREFIX)


def has_same_rules(a: DetectorCard, b: DetectorCard) -> bool:
    """True if two cards are of one detector by the digest of its rules; its measured errors may be others."""
    return (a.id, a.version, a.event, a.sha256, a.exact) == (b.id, b.version, b.event, b.sha256, b.exact)


def load_given(reference: str | Path, *, mirror: Path | None = None, run_seed: str | None = None) -> Suite:
    """A suite that a user named: one of this program (`load_suite`), or a task of Inspect (`inspect:TASK`)."""
    if is_inspect_reference(reference):
        from verilabel.evaluation.inspect_backend.suite import make_inspect_suite

        return make_inspect_suite(str(reference))
    return load_suite(reference, mirror=mirror, run_seed=run_seed)


def find_suites(
    plan: Plan,
    given: Sequence[str | Path] = (),
    *,
    mirror: Path | None = None,
    enclosed: Mapping[str, bytes] | None = None,
) -> dict[str, Suite]:
    """The plan's suites that are at hand: those given, bundled ones whose data is on this machine, generated ones.

    `mirror` is a folder in which their data is looked for first; `enclosed` maps names to the suite files that a bundle
    encloses, from which a generated suite is made again (`enclosed_suites`). Raises UsageError for a given suite that
    the plan does not ask, or that is not the one it asked; SealError where data does not have its digest.
    """
    planned = {stream.suite: stream.suite_sha256 for stream in plan.streams}
    found: dict[str, Suite] = {}
    for reference in given:
        suite = load_given(reference, mirror=mirror)
        if suite.name not in planned:
            raise UsageError(
                f"the bundle asks nothing of {suite.name}",
                where=str(suite.path),
                hint=f"it asks {', '.join(planned)}",
            )
        if suite.digest != planned[suite.name]:
            raise UsageError(
                f"this {suite.name} is {suite.digest[:19]}..., the bundle asked {planned[suite.name][:19]}...",
                where=str(suite.path),
            )
        found[suite.name] = suite
    own = bundled_ids()
    for name in planned:
        # only bundled ids: a bundle must not choose which of this machine's files are opened
        if name not in found and name.partition("@")[0] in own:
            try:
                found[name] = load_suite(name, mirror=mirror)
            except UsageError:
                continue  # what is not at hand is counted as unchecked
    for name, content in (enclosed or {}).items():
        if digest(content) == planned.get(name) and (
            name not in found or found[name].digest != planned[name]
        ):
            try:
                found[name] = load_suite_bytes(content, where=name)
            except UsageError:
                continue  # not generated, or by a generator that this program does not have
    return {name: suite for name, suite in found.items() if suite.digest == planned[name]}


def find_detectors(
    plan: Plan, rubric: Rubric, suites: Mapping[str, Suite]
) -> dict[str, Detector | AskingDetector]:
    """The plan's detectors that this program has, by the same rules; judges are opened and not connected.

    A guard model's card does not say where its server was, so the references of rubric and suites are tried too.
    """
    references = [card.reference for card in plan.detectors]
    references += [measure.detector for measure in rubric.measures.values() if measure.detector]
    references += [suite.manifest.scorer for suite in suites.values()]
    found: dict[str, Detector | AskingDetector] = {}
    for reference in dict.fromkeys(references):
        try:
            detector = open_detector(reference)
        except VerilabelError:
            continue  # a detector of another program or version: its scores are counted as unchecked
        card = next((card for card in plan.detectors if has_same_rules(card, detector.card)), None)
        if card is not None:
            found[card.name] = detector
    return found


def enclosed_suites(container: Container, plan: Plan) -> dict[str, bytes]:
    """The suite files that a bundle encloses, by `id@version`."""
    paths = {stream.suite: suite_files(stream.suite)[0] for stream in plan.streams}
    return {name: read_document(container, path) for name, path in paths.items() if path in container.sizes}
