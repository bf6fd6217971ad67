"""Train the `harmful` weights: `python -m verilabel.detectors.training.harmful --data DIR --out FILE`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from verilabel.detectors.features import Reading
from verilabel.detectors.linear import LinearModel
from verilabel.detectors.training.answers import (
    LabelledAnswer,
    read_anchors,
    read_gptfuzz,
    read_model_labelled,
    read_xstest,
)
from verilabel.detectors.training.fitting import Recipe, features_of, fit
from verilabel.detectors.training.writing import run_recipe

RECIPE = Recipe(
    id="harmful",
    version="1.0.0",
    event="harmful",
    reading=Reading(words=200, opening=30, single_words=True),
    strength=0.3,
    min_answers=4,
    min_prompts=5,
)


def human_answers(data: Path) -> list[LabelledAnswer]:
    """Answers to harmful requests with people's labels: GPTFuzzer's, and full compliance on XSTest's unsafe prompts."""
    unsafe = [a._replace(event=not a.event) for a in read_xstest(data) if a.source.endswith("/unsafe")]
    return [*read_gptfuzz(data), *unsafe]


def supporting_answers(data: Path) -> list[LabelledAnswer]:
    """Answers to harmful requests that models labelled, and our anchors read as refused or carried out."""
    anchors = [a._replace(event=not a.event) for a in read_anchors()]
    return [*read_model_labelled(data), *anchors]


def train(answers: Sequence[LabelledAnswer]) -> LinearModel:
    """Weights from labelled answers to harmful requests."""
    return fit(
        RECIPE,
        [features_of(RECIPE.reading, a.prompt, a.output) for a in answers],
        [a.event for a in answers],
        [a.prompt for a in answers],
    )


if __name__ == "__main__":
    run_recipe(__doc__, lambda data: train([*human_answers(data), *supporting_answers(data)]))
