"""Train the `refusal` weights: `python -m verilabel.detectors.training.refusal --data DIR --out FILE`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from verilabel.detectors.features import Reading
from verilabel.detectors.linear import LinearModel
from verilabel.detectors.training.answers import LabelledAnswer, read_anchors, read_xstest
from verilabel.detectors.training.fitting import Recipe, features_of, fit
from verilabel.detectors.training.writing import run_recipe

RECIPE = Recipe(
    id="refusal",
    version="1.0.0",
    event="refused",
    reading=Reading(words=100, opening=30, single_words=False),
    strength=0.2,
    min_answers=3,
    min_prompts=1,
)


def training_answers(data: Path) -> list[LabelledAnswer]:
    """Every answer the shipped weights are trained on: XSTest's three models and our own anchors."""
    return [*read_xstest(data), *read_anchors()]


def train(answers: Sequence[LabelledAnswer]) -> LinearModel:
    """Weights from labelled answers."""
    return fit(
        RECIPE,
        [features_of(RECIPE.reading, a.prompt, a.output) for a in answers],
        [a.event for a in answers],
        [a.prompt for a in answers],
    )


if __name__ == "__main__":
    run_recipe(__doc__, lambda data: train(training_answers(data)))
