"""The bundled core suites as tasks of Inspect AI: its runner asks, our detectors score.

Inspect finds them through the entry point `inspect_ai` of this package, which asks this module for `TASKS`; only then
is inspect_ai imported. An Inspect run keeps no evidence that a label could be derived from; `verilabel import` reads
its log and says what it evidences.

    inspect eval verilabel/factual --model openai/gpt-4o
    inspect eval verilabel/suite -T suite=xstest -T mirror=data --model openai/gpt-4o
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from verilabel.detectors.catalogue import open_detector
from verilabel.detectors.interface import Detector, decides_alone
from verilabel.errors import UsageError
from verilabel.records.sample import Message, Sample
from verilabel.records.score import Scored
from verilabel.suites.loading import OWN_PREFIX, Suite, bundled_ids, load_suite

ANY_SUITE = "suite"
"""The task that takes a suite by its id or path."""
SAMPLE = "verilabel_sample"
"""Where a sample's own record lies in the metadata of Inspect's sample."""


def __getattr__(name: str) -> Any:
    """`TASKS`, made when Inspect asks for it: task name to the function that Inspect registered."""
    if name != "TASKS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    tasks = register_tasks()
    globals()["TASKS"] = tasks
    return tasks


def task_names() -> dict[str, str]:
    """Task name to the id of its suite: `harm_direct` to `core/harm-direct`."""
    own = [suite for suite in bundled_ids() if suite.startswith(OWN_PREFIX)]
    return {suite.removeprefix(OWN_PREFIX).replace("-", "_"): suite for suite in own}


def register_tasks() -> dict[str, Callable[..., Any]]:
    """Register one task for each core suite, and `suite` for any other. Raises UsageError without inspect_ai."""
    inspect_ai = _load("inspect_ai")
    _scorer()  # `inspect score` finds it by name
    tasks = {name: inspect_ai.task(name=name)(_maker(suite)) for name, suite in task_names().items()}

    def any_suite(suite: str, detector: str | None = None, mirror: str | None = None) -> Any:
        return make_task(load_suite(suite, mirror=Path(mirror) if mirror else None), detector)

    return {**tasks, ANY_SUITE: inspect_ai.task(name=ANY_SUITE)(any_suite)}


def _maker(suite: str) -> Callable[..., Any]:
    def core_suite(detector: str | None = None) -> Any:
        return make_task(load_suite(suite), detector)

    return core_suite


def make_task(suite: Suite, detector: str | None = None) -> Any:
    """An Inspect task of a suite's samples, scored by a detector (default: the suite's own scorer).

    Raises UsageError without inspect_ai, and for a detector that asks a model: its exchanges would not be kept.
    """
    inspect_ai, dataset = _load("inspect_ai"), _load("inspect_ai.dataset")
    reference = detector or suite.manifest.scorer
    opened = _open_alone(reference)
    samples = [_inspect_sample(sample) for sample in suite.samples]
    facts = {
        "verilabel.suite": suite.name,
        "verilabel.suite_sha256": suite.digest,
        "verilabel.data_sha256": suite.data_digest,
        "verilabel.license": suite.manifest.license,
        "verilabel.detector": opened.card.name,
        "verilabel.detector_sha256": opened.card.sha256,
        "verilabel.event": opened.card.event,
    }
    return inspect_ai.Task(
        dataset=dataset.MemoryDataset(samples, name=suite.name, location=suite.digest),
        solver=_load("inspect_ai.solver").generate(),
        scorer=_scorer()(reference, suite.name),
        version=suite.manifest.version,
        metadata=facts,
    )


def _inspect_sample(sample: Sample) -> Any:
    return _load("inspect_ai.dataset").Sample(
        id=sample.id,
        input=[_inspect_message(message) for message in sample.messages],
        target=list(sample.target),
        choices=list(sample.choices) or None,
        metadata={**sample.tags, SAMPLE: msgspec.to_builtins(sample)},
    )


def _inspect_message(message: Message) -> Any:
    model = _load("inspect_ai.model")
    kinds = {
        "system": model.ChatMessageSystem,
        "user": model.ChatMessageUser,
        "assistant": model.ChatMessageAssistant,
    }
    return kinds[message.role](content=message.content)


@cache
def _scorer() -> Any:
    """Our scorer, registered once: 1 where the event is true of the answer, 0 where it is not, else unscored.

    It takes a detector's reference and a suite's name, which Inspect keeps in its log, so that `inspect score` can make
    it again.
    """
    scoring = _load("inspect_ai.scorer")

    def verilabel_detector(detector: str, suite: str) -> Any:
        opened = _open_alone(detector)

        async def score(state: Any, target: Any) -> Any:
            del target  # the detector reads the suite's own record of the sample
            sample = msgspec.convert(state.metadata[SAMPLE], Sample)
            found = opened.detect(suite, sample, state.epoch, state.output.completion)
            metadata = {"detector": found.detector, "event": found.event}
            if isinstance(found, Scored):
                return scoring.Score(value=int(found.value), explanation=found.detail, metadata=metadata)
            return scoring.Score(value=math.nan, explanation=found.reason, metadata=metadata)

        return score

    metrics = [scoring.mean(), scoring.stderr()]
    return scoring.scorer(metrics=metrics, name="verilabel_detector")(verilabel_detector)


def _open_alone(reference: str) -> Detector:
    opened = open_detector(reference)
    if not decides_alone(opened):
        raise UsageError(
            f"{opened.card.name} asks a model, and Inspect would not keep what it says",
            hint="choose a detector that decides alone, or use `verilabel label`",
        )
    return opened


def _load(module: str) -> Any:
    """A module of Inspect AI, which is no dependency of this package."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(
            "this needs the package 'inspect_ai', which is not installed", hint="pip install inspect-ai"
        ) from error
