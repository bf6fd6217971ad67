"""A bundle's own plan once more: its suites, detectors and design, against the model as it is now.

Nothing of the plan is chosen anew but its date and, where the caller wants, its seed. What is not here under the same
digest is named, and nothing is asked then: another suite or detector would compare something else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from verilabel.detectors.catalogue import refuse_chosen_judges
from verilabel.errors import CheckFailed, UsageError
from verilabel.evaluation.describing import SystemChoice
from verilabel.evaluation.finding import enclosed_suites, find_suites
from verilabel.evidence.container import open_container
from verilabel.evidence.layout import RUBRIC, SYSTEM_PROMPT
from verilabel.evidence.reading import read_document, read_plan, read_system
from verilabel.records.plan import Plan
from verilabel.records.system import SystemDescriptor, scope_difference
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import Rubric
from verilabel.suites.loading import Suite


@dataclass(frozen=True)
class Reproducible:
    """What a bundle says of how it was made."""

    path: Path
    plan: Plan
    system: SystemDescriptor
    rubric_bytes: bytes
    rubric: Rubric
    system_prompt: str | None
    """The prompt's text, where the bundle encloses it."""
    suite_files: Mapping[str, bytes]
    """`id@version` to the suite file that the bundle encloses."""


def read_reproducible(path: Path) -> Reproducible:
    """Read a verified bundle's plan, system and rubric. Raises UsageError where no model was asked for it."""
    with open_container(path) as container:
        plan, system = read_plan(container), read_system(container)
        rubric = read_document(container, RUBRIC)
        enclosed = enclosed_suites(container, plan)
        prompt = None
        if SYSTEM_PROMPT in container.sizes:
            prompt = read_document(container, SYSTEM_PROMPT).decode("utf-8")
    if plan.imported is not None:
        raise UsageError(
            "no plan was made before these answers were given: they are imported", where=str(path)
        )
    return Reproducible(path, plan, system, rubric, load_rubric(rubric, RUBRIC), prompt, enclosed)


def choose_same_system(source: Reproducible, chosen: SystemChoice, given: Mapping[str, bool]) -> SystemChoice:
    """The system of the bundle with the model that was chosen; `given` says which fields the caller set.

    Raises UsageError where the system has a prompt that the bundle does not enclose and the caller does not give.
    """
    system = source.system
    same: dict[str, object] = {
        "name": system.name,
        "params": dict(system.params),
        "system_prompt": source.system_prompt,
        "use_case": system.use_case,
        "locale": system.locale,
        "modality": system.modality,
    }
    if system.system_prompt is not None and source.system_prompt is None and not given.get("system_prompt"):
        raise UsageError(
            "the system has a prompt that the bundle does not enclose",
            where=str(source.path),
            hint="--system-prompt @FILE gives it; its digest must be the system's",
        )
    fields = {name: value for name, value in same.items() if not given.get(name)}
    return SystemChoice(**{**_fields_of(chosen), **fields})  # type: ignore[arg-type]


def _fields_of(chosen: SystemChoice) -> dict[str, object]:
    return {name: getattr(chosen, name) for name in SystemChoice.__dataclass_fields__}


def require_same_scope(source: Reproducible, system: SystemDescriptor) -> None:
    """Refuse a system that differs in what the label binds to. Raises CheckFailed naming the keys."""
    differing = scope_difference(source.system, system, source.rubric.scope.bind)
    if differing:
        raise CheckFailed(
            f"another scope: the systems differ in {', '.join(differing)}",
            where=str(source.path),
            hint="; ".join(_say_key(key, source.system) for key in differing),
        )


def _say_key(key: str, system: SystemDescriptor) -> str:
    value = getattr(system, key)
    if key in ("tools", "guardrails"):
        option = key.removesuffix("s")
        named = ", ".join(value) or "none"
        return f"the bundle's {key}: {named} (--{option} NAME=FILE)"
    return f"the bundle's {key}: {value}"


def find_same_suites(source: Reproducible, given: Sequence[str], mirror: Path | None) -> list[Suite]:
    """The plan's suites by their digests. Raises UsageError naming those that are not here."""
    found = find_suites(source.plan, given, mirror=mirror, enclosed=source.suite_files)
    lacking = [stream for stream in source.plan.streams if stream.suite not in found]
    if lacking:
        named = ", ".join(f"{stream.suite} ({stream.suite_sha256[:19]}...)" for stream in lacking)
        raise UsageError(
            f"not here under the bundle's digest: {named}",
            where=str(source.path),
            hint="--suite PATH says where a suite lies, --mirror DIR where its data does",
        )
    return [found[stream.suite] for stream in source.plan.streams]


def detector_references(source: Reproducible, named: Mapping[str, str]) -> dict[str, str]:
    """Measure to what opens its detector again: what the caller named for it or its event, else what its card says.

    Raises UsageError for a card whose judge only a person may choose (`detectors.catalogue.refuse_chosen_judges`).
    """
    found = {}
    for measure in source.plan.measures:
        own = named.get(measure.id) or named.get(measure.event)
        if own is None:
            own = source.plan.detector(measure.detector).reference
            refuse_chosen_judges(own, where=str(source.path))
        found[measure.id] = own
    return found


def limit_of(plan: Plan) -> int | None:
    """The limit that gives every stream of a plan its own; None for no limit."""
    limited = [stream.limit for stream in plan.streams if stream.limit < stream.samples]
    return max(limited, default=None)


def epochs_of(plan: Plan) -> int:
    """How often the plan asks each sample."""
    return max(stream.epochs for stream in plan.streams)


def require_same_plan(source: Reproducible, plan: Plan) -> None:
    """Refuse a plan that asks or counts otherwise than the bundle's. Raises UsageError naming what differs."""
    ours = {card.name: card for card in plan.detectors}
    for card in source.plan.detectors:
        if (here := ours.get(card.name)) is None:
            raise UsageError(f"this program has no detector {card.name}", where=str(source.path))
        if here.sha256 != card.sha256:
            raise UsageError(
                f"{card.name} here has other rules ({here.sha256[:19]}...) than the bundle's ({card.sha256[:19]}...)",
                where=str(source.path),
            )
        if here != card:
            raise UsageError(
                f"{card.name} here has other measured errors than the bundle's",
                where=str(source.path),
                hint=f"--detector-card {card.event}=FILE gives the card that the bundle was made with",
            )
    for what in ("rubric", "design", "streams", "measures", "detectors", "references"):
        if getattr(plan, what) != getattr(source.plan, what):
            raise UsageError(
                f"the plan cannot be made again: other {what} come out",
                where=str(source.path),
                hint=_first_difference(getattr(source.plan, what), getattr(plan, what)),
            )


def _first_difference(theirs: object, ours: object) -> str:
    if not isinstance(theirs, tuple) or not isinstance(ours, tuple) or len(theirs) != len(ours):
        return f"the bundle has {msgspec.to_builtins(theirs)}"[:300]
    index = next(i for i, pair in enumerate(zip(theirs, ours, strict=True)) if pair[0] != pair[1])
    return f"the bundle has {msgspec.to_builtins(theirs[index])}"[:300]
