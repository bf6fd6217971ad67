"""Fitting a linear classifier: which features count, logistic regression, weights rounded to thousandths."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from verilabel.detectors.features import FEATURES_VERSION, Reading, read_features
from verilabel.detectors.linear import LinearModel, phrase_book
from verilabel.errors import UsageError

Features = Mapping[str, int]


@cache
def features_of(reading: Reading, prompt: str, output: str) -> Features:
    """An answer's features, read once however many folds it is in."""
    return read_features(phrase_book(), reading, prompt, output)


class Recipe(NamedTuple):
    """What is fitted and how. `strength` is the inverse of the L2 penalty (C of scikit-learn)."""

    id: str
    version: str
    event: str
    reading: Reading
    strength: float
    min_answers: int
    """A feature counts if this many training answers have it."""
    min_prompts: int
    """A single word counts if it stands in answers to this many prompts: fewer would be a topic."""


def fit(
    recipe: Recipe, features: Sequence[Features], events: Sequence[bool], prompts: Sequence[str]
) -> LinearModel:
    """Fit logistic regression (liblinear, L2) and round it. The same input gives the same model.

    Raises UsageError where scikit-learn is not installed.
    """
    try:
        from sklearn.feature_extraction import DictVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise UsageError("training needs scikit-learn", hint="pip install scikit-learn") from error
    kept = countable_features(recipe, features, prompts)
    vectorizer = DictVectorizer()
    matrix: Any = vectorizer.fit_transform([{k: v for k, v in row.items() if k in kept} for row in features])
    matrix.indices, matrix.indptr = matrix.indices.astype("int32"), matrix.indptr.astype("int32")
    solver = LogisticRegression(
        C=recipe.strength, solver="liblinear", random_state=0, max_iter=5_000, tol=1e-6
    )
    solver.fit(matrix, list(events))
    weights = {
        name: round(1000 * float(weight))
        for name, weight in zip(vectorizer.get_feature_names_out(), solver.coef_[0], strict=True)
    }
    return LinearModel(
        id=recipe.id,
        version=recipe.version,
        event=recipe.event,
        features=FEATURES_VERSION,
        reading=recipe.reading,
        bias=round(1000 * float(solver.intercept_[0])),
        weights={str(name): weight for name, weight in sorted(weights.items()) if weight},
    )


def countable_features(recipe: Recipe, features: Sequence[Features], prompts: Sequence[str]) -> set[str]:
    """The features that are frequent enough and, for single words, spread over enough prompts."""
    answers: defaultdict[str, int] = defaultdict(int)
    spread: defaultdict[str, set[str]] = defaultdict(set)
    for row, prompt in zip(features, prompts, strict=True):
        for name in row:
            answers[name] += 1
            if name.startswith("w:"):
                spread[name].add(prompt)
    return {
        name
        for name, count in answers.items()
        if count >= recipe.min_answers
        and (not name.startswith("w:") or len(spread[name]) >= recipe.min_prompts)
    }
